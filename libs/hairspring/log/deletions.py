"""Deletions in a log: what a profile left in it is erased in bounded steps, whatever crashes.

A deletion is noted in the transaction that appends the records which tell of it. What stands before
those is then erased step by step, each step a transaction that also notes how far it is; whoever
runs goes on with what is open, and several share it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from hairspring.database.migrations import check_schema_name
from hairspring.database.notices import wait_until_set
from hairspring.log.port import Log

STEP = 1_000
LOOK_SECONDS = 2.0
FORGET_MS = 30 * 86_400_000
"""How long the records that tell of a deletion name the profile after all the rest is erased."""

_FORGOTTEN_AT_ONCE = 100

_NOTE = """/* note_deletion */
INSERT INTO {schema}.deletions (workspace, deletion_id, profile, profiles, shards,
    first_position, position, deleted_at, erased, records)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_GET = """/* get_deletions */
SELECT * FROM {schema}.deletions WHERE workspace = $1 AND deletion_id = ANY ($2::text[])
ORDER BY position
"""
_NEXT = """/* next_deletion */
SELECT * FROM {schema}.deletions WHERE done_at IS NULL
ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_KEPT = """/* kept_records */
SELECT position FROM {schema}.deletions WHERE workspace = $1 AND profile = ANY ($2::text[])
"""
_STEP = """/* deletion_step */
UPDATE {schema}.deletions
SET records = records + $3, done_at = CASE WHEN $4 THEN {schema}.log_clock() END
WHERE workspace = $1 AND deletion_id = $2
"""
_TO_FORGET = """/* deletions_to_forget */
SELECT * FROM {schema}.deletions
WHERE profile IS NOT NULL AND done_at < {schema}.log_clock() - $1::bigint
AND position <= $3
ORDER BY done_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_FORGET = """/* forget_deletion */
UPDATE {schema}.deletions SET profile = NULL, profiles = NULL, shards = NULL
WHERE workspace = $1 AND deletion_id = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What is erased of a profile in a log: everything before `first_position`.

    The records from there to `position` tell of it. `places` has its shard and id, nothing once
    they are forgotten; an id that stood for it is deleted by a deletion of its own. `erased` counts
    what went with it elsewhere, by kind, and `records` what is erased of the log. Times are ms
    since the epoch, UTC.
    """

    workspace: str
    deletion_id: str
    places: Sequence[tuple[int, str]]
    first_position: int
    position: int
    deleted_at: int
    erased: Mapping[str, int] = field(default_factory=dict)
    records: int = 0
    done_at: int | None = None

    @property
    def profile(self) -> str:
        """The id of the profile; empty once it is forgotten."""
        return self.places[0][1] if self.places else ""


async def _wherever() -> int:
    return 2**63 - 1


class Deletions:
    """The deletions in the log of a schema.

    `forget_ms` is when the last records go, too, if `read_by_all` answers that everybody who has to
    has read them: up to which position, None for nothing.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        schema: str,
        log: Log,
        *,
        forget_ms: int = FORGET_MS,
        read_by_all: Callable[[], Awaitable[int | None]] = _wherever,
    ) -> None:
        self._pool = pool
        self._schema = check_schema_name(schema)
        self._log = log
        self._forget_ms = forget_ms
        self._read_by_all = read_by_all
        self._noticed = asyncio.Event()

    async def note_in(self, connection: Any, deletion: Deletion) -> None:
        """Note a deletion, in the transaction that appends the records which tell of it."""
        await connection.execute(
            self._sql(_NOTE),
            deletion.workspace,
            deletion.deletion_id,
            deletion.profile,
            [profile for _, profile in deletion.places],
            [shard for shard, _ in deletion.places],
            deletion.first_position,
            deletion.position,
            deletion.deleted_at,
            json.dumps(dict(deletion.erased)),
            deletion.records,
        )

    async def kept_in(self, connection: Any, workspace: str, profiles: Sequence[str]) -> list[int]:
        """Read where records tell of earlier deletions; somebody may still have to read them."""
        rows = await connection.fetch(self._sql(_KEPT), workspace, list(profiles))
        return [row["position"] for row in rows]

    async def all_of(self, workspace: str, deletion_ids: Sequence[str]) -> list[Deletion]:
        """Read those of these deletions that this log knows, in its order."""
        rows = await self._pool.fetch(self._sql(_GET), workspace, list(deletion_ids))
        return [_deletion(row) for row in rows]

    def notice(self) -> None:
        """Tell that there is something to erase."""
        self._noticed.set()

    async def run(self) -> None:
        """Erase what is to be erased, without end."""
        while True:
            self._noticed.clear()
            while await self.step():
                pass
            while await self.forget():
                pass
            await wait_until_set(self._noticed, LOOK_SECONDS)

    async def step(self) -> bool:
        """Do one step of the first deletion that is open; False where there is none."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(self._sql(_NEXT))
            if row is None:
                return False
            one = _deletion(row)
            kept = await self.kept_in(connection, one.workspace, [name for _, name in one.places])
            count = await self._log.erase_in(
                connection,
                one.workspace,
                one.places,
                before=one.first_position,
                keep=kept,
                limit=STEP,
            )
            done = count < STEP
            await connection.execute(self._sql(_STEP), one.workspace, one.deletion_id, count, done)
        return True

    async def forget(self) -> bool:
        """Erase the records of old deletions that still name somebody; False where none do."""
        through = await self._read_by_all()
        if through is None:
            return False
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                self._sql(_TO_FORGET), self._forget_ms, _FORGOTTEN_AT_ONCE, through
            )
            for one in map(_deletion, rows):
                await self._log.erase_in(
                    connection,
                    one.workspace,
                    one.places[:1],
                    before=one.position + 1,
                    limit=STEP,
                )
                await connection.execute(self._sql(_FORGET), one.workspace, one.deletion_id)
        return bool(rows)

    def _sql(self, text: str) -> str:
        return text.replace("{schema}", self._schema)


def _deletion(row: Any) -> Deletion:
    return Deletion(
        workspace=row["workspace"],
        deletion_id=row["deletion_id"],
        places=list(zip(row["shards"] or (), row["profiles"] or (), strict=True)),
        first_position=row["first_position"],
        position=row["position"],
        deleted_at=row["deleted_at"],
        erased=json.loads(row["erased"]),
        records=row["records"],
        done_at=row["done_at"],
    )
