"""What could not be accepted, in Postgres."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from hairspring.services.ingest.rejecting import Reject
from hairspring.wire.times import DAY_MS

_COLUMNS = (
    "workspace, received_at, source, code, problem, message_id, profile, kind, cut, envelope,"
    " payload"
)
_LISTED = _COLUMNS.replace(" envelope,", " ''::bytea AS envelope,").replace(
    " payload", " ''::bytea AS payload"
)

# Answers how many there were of the day before. Whoever writes locks the days in one order.
_ROOM = """/* room_for_rejects */
INSERT INTO {schema}.reject_days AS d (workspace, day, rejects, bytes) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace, day)
DO UPDATE SET rejects = d.rejects + excluded.rejects, bytes = d.bytes + excluded.bytes
RETURNING rejects - $3 AS rejects, bytes - $4 AS bytes
"""
_INSERT = f"""/* keep_rejects */
INSERT INTO {{schema}}.rejects ({_COLUMNS})
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::text[], $9::bool[], $10::bytea[], $11::bytea[])
"""
_LIST = f"""/* list_rejects */
SELECT reject_id, replays, {_LISTED} FROM {{schema}}.rejects
WHERE workspace = $1 AND reject_id < $2 AND ($3 = '' OR code = $3)
ORDER BY reject_id DESC LIMIT $4
"""
_GET = f"""/* get_rejects */
SELECT reject_id, replays, {_COLUMNS} FROM {{schema}}.rejects
WHERE workspace = $1 AND reject_id = ANY ($2::bigint[]) ORDER BY reject_id
"""
_OF = f"""/* rejects_of_profiles */
SELECT reject_id, replays, {_COLUMNS} FROM {{schema}}.rejects
WHERE workspace = $1 AND profile = ANY ($2::text[]) AND reject_id > $3
ORDER BY reject_id LIMIT $4
"""
_DONE = """/* rejects_accepted */
DELETE FROM {schema}.rejects WHERE workspace = $1 AND reject_id = ANY ($2::bigint[])
"""
_IN_VAIN = """/* rejects_in_vain */
UPDATE {schema}.rejects AS r SET replays = replays + 1, code = k.code, problem = k.problem
FROM unnest($2::bigint[], $3::text[], $4::text[]) AS k (reject_id, code, problem)
WHERE r.workspace = $1 AND r.reject_id = k.reject_id
"""
_ERASE = """/* erase_rejects */
DELETE FROM {schema}.rejects WHERE workspace = $1 AND profile = ANY ($2::text[])
"""
_SWEEP = """/* sweep_rejects */
DELETE FROM {schema}.rejects WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {schema}.rejects WHERE received_at < $1 LIMIT 5000))
"""
_SWEEP_DAYS = "/* sweep_reject_days */ DELETE FROM {schema}.reject_days WHERE day < $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A reject that is kept, under its number, and how often it was replayed in vain."""

    reject_id: int
    replays: int
    reject: Reject


class RejectTable:
    """Reads and writes rejects in a schema; bounded for each workspace and day."""

    def __init__(
        self, pool: asyncpg.Pool, schema: str, *, most_a_day: int, most_bytes_a_day: int
    ) -> None:
        self._pool = pool
        self._schema = schema
        self._most = most_a_day
        self._most_bytes = most_bytes_a_day

    async def keep(self, rejects: Sequence[Reject]) -> int:
        """Keep rejects, as far as there is room for them; answers how many are kept."""
        days: dict[tuple[str, int], list[Reject]] = {}
        for one in rejects:
            days.setdefault((one.workspace, one.received_at // DAY_MS), []).append(one)
        async with self._pool.acquire() as connection, connection.transaction():
            kept: list[Reject] = []
            for (workspace, day), some in sorted(days.items(), key=lambda item: item[0]):
                size = sum(one.size for one in some)
                [before] = await connection.fetch(self._sql(_ROOM), workspace, day, len(some), size)
                if before["bytes"] < self._most_bytes:
                    kept += some[: max(0, self._most - before["rejects"])]
            if kept:
                columns = zip(*map(_row, kept), strict=True)
                await connection.execute(self._sql(_INSERT), *map(list, columns))
        return len(kept)

    async def page(self, workspace: str, before: int, code: str, limit: int) -> list[Kept]:
        """List rejects, the latest first, from before a number on, without what was sent."""
        rows = await self._pool.fetch(self._sql(_LIST), workspace, before, code, limit)
        return [_kept(row) for row in rows]

    async def get(self, workspace: str, reject_ids: Sequence[int]) -> list[Kept]:
        """Read rejects with what was sent; those that are gone are missing."""
        rows = await self._pool.fetch(self._sql(_GET), workspace, list(reject_ids))
        return [_kept(row) for row in rows]

    async def of(
        self, workspace: str, profiles: Sequence[str], after: int, limit: int
    ) -> list[Kept]:
        """Read the rejects of profiles after a number on, with what was sent."""
        rows = await self._pool.fetch(self._sql(_OF), workspace, list(profiles), after, limit)
        return [_kept(row) for row in rows]

    async def replayed(
        self, workspace: str, accepted: Sequence[int], refused: Sequence[tuple[int, str, str]]
    ) -> None:
        """Drop those that were accepted, and note of the others (number, code, problem)."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(self._sql(_DONE), workspace, list(accepted))
            if refused:
                columns = map(list, zip(*refused, strict=True))
                await connection.execute(self._sql(_IN_VAIN), workspace, *columns)

    async def erase_in(self, connection: Any, workspace: str, profiles: Sequence[str]) -> int:
        """Erase the rejects of profiles, in a transaction of the caller's; answers how many."""
        done = await connection.execute(self._sql(_ERASE), workspace, list(profiles))
        return int(done.rpartition(" ")[2])

    async def sweep(self, before: int) -> None:
        """Drop all that came before a time (ms, UTC), some at a time."""
        while await self._pool.execute(self._sql(_SWEEP), before) == "DELETE 5000":
            continue
        await self._pool.execute(self._sql(_SWEEP_DAYS), before // DAY_MS)

    def _sql(self, text: str) -> str:
        return text.format(schema=self._schema)


def _row(one: Reject) -> tuple[Any, ...]:
    return (
        one.workspace,
        one.received_at,
        one.source,
        one.code,
        one.problem,
        one.message_id,
        one.profile,
        one.kind,
        one.cut,
        one.envelope,
        one.payload,
    )


def _kept(row: Any) -> Kept:
    fields = dict(row)
    reject_id, replays = fields.pop("reject_id"), fields.pop("replays")
    return Kept(reject_id=reject_id, replays=replays, reject=Reject(**fields))
