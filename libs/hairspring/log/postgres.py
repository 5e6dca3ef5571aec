"""The log in Postgres: one lane, dense positions, and readers that miss nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg

from hairspring.database.migrations import Migrations, check_schema_name
from hairspring.database.notices import Notices
from hairspring.log.links import MOST_IDS, MOST_RECORDS, Linked, Merging, Place
from hairspring.log.port import (
    ERASED,
    FURTHEST_BARRIER_MS,
    HISTORY_LIMIT,
    TAIL_BATCH,
    Appended,
    Barrier,
    BarrierTooFar,
    Batch,
    DeletionsUnknown,
    Entry,
    Log,
    LogError,
    Record,
    repeat_key_of,
)
from hairspring.log.tailing import SAFETY_POLL_SECONDS, Tail

MIGRATIONS = Migrations(source="log", directory=Path(__file__).parent / "sql")

_UNKNOWN = "HS001"
"""The SQLSTATE of an append that does not know of all deletions."""

_COLUMNS = "position, shard, workspace, profile, accepted_at, payload"


class PostgresLog(Log):
    """A log in the tables of a schema, which were made with `migrate(pool, schema, MIGRATIONS)`.

    `safety_poll` is the time in seconds after which a tail at the head looks again by itself.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        notices: Notices,
        schema: str,
        safety_poll: float = SAFETY_POLL_SECONDS,
        *,
        merging: Merging | None = None,
    ) -> None:
        self._pool = pool
        self._merging = merging
        self._notices = notices
        self._schema = check_schema_name(schema)
        self._safety_poll = safety_poll

    async def append(self, entries: Sequence[Entry], *, knows: int | None = None) -> list[Appended]:
        """Append in a transaction of its own, in one round trip."""
        if not entries:
            return []
        async with self._pool.acquire() as connection:
            return await self.append_in(connection, entries, knows=knows)

    async def append_in(
        self, connection: Any, entries: Sequence[Entry], *, knows: int | None = None
    ) -> list[Appended]:
        """Append inside the transaction that is open on the connection, in one round trip."""
        if not entries:
            return []
        keys = [(key := repeat_key_of(entry)) and key.hex() for entry in entries]
        columns = (
            [entry.shard for entry in entries],
            [entry.workspace for entry in entries],
            [entry.profile for entry in entries],
            [entry.payload for entry in entries],
            keys if any(keys) else None,
        )
        if self._merging is None:
            if any(entry.link for entry in entries):
                raise LogError("this log does not merge profiles")
            call, more = "log_append", ()
        else:
            call = "log_append_linking"
            more = (
                *_naming(entries),
                self._merging.away,
                self._merging.joined,
                MOST_IDS,
                MOST_RECORDS,
            )
        try:
            row = await connection.fetchrow(
                _append_sql(self._schema, call, len(columns) + len(more), knows is not None),
                *columns,
                *more,
                *(() if knows is None else (knows,)),
            )
        except asyncpg.PostgresError as error:
            if error.sqlstate == _UNKNOWN:
                raise DeletionsUnknown(str(error)) from None
            raise
        accepted_at = row["accepted"]
        return [
            Appended(position, accepted_at, repeated=position == 0) for position in row["positions"]
        ]

    async def erase_in(
        self,
        connection: Any,
        workspace: str,
        places: Sequence[tuple[int, str]],
        *,
        before: int,
        keep: Collection[int] = (),
        limit: int,
    ) -> int:
        """Erase some records, found by the index on profiles."""
        erased: int = await connection.fetchval(
            f"/* erase */ SELECT {self._schema}.log_erase($1, $2, $3, $4, $5, $6, $7)",
            [shard for shard, _ in places],
            [profile for _, profile in places],
            workspace,
            before,
            list(keep),
            ERASED,
            limit,
        )
        return erased

    async def unlink_in(self, connection: Any, workspace: str, places: Sequence[Place]) -> None:
        """Delete the links, and count how many there are less."""
        await connection.execute(
            "/* unlink */ WITH gone AS ("
            f"DELETE FROM {self._schema}.links AS l USING unnest($1::int[], $2::text[])"
            " AS p (shard, id) WHERE l.shard = p.shard AND l.workspace = $3 AND l.id = p.id"
            " RETURNING l.id <> l.profile AS counted)"
            f" UPDATE {self._schema}.lane SET links = links -"
            " (SELECT count(*) FROM gone WHERE counted)",
            [shard for shard, _ in places],
            [name for _, name in places],
            workspace,
        )

    async def count_deletion(self, connection: Any) -> int:
        """Count one more in the lane's row, which is locked from here on."""
        count: int = await connection.fetchval(
            f"/* count_deletion */ UPDATE {self._schema}.lane SET deletions = deletions + 1"
            " RETURNING deletions"
        )
        return count

    async def read(
        self,
        after: int,
        limit: int,
        through: int | None = None,
        shards: Collection[int] | None = None,
    ) -> list[Record]:
        """Read a stretch of the log."""
        rows = await self._pool.fetch(
            f"/* read */ SELECT {_COLUMNS} FROM {self._schema}.log"
            " WHERE position > $1 AND ($2::bigint IS NULL OR position <= $2)"
            " AND ($3::int[] IS NULL OR shard = ANY($3)) ORDER BY position LIMIT $4",
            after,
            through,
            None if shards is None else list(shards),
            limit,
        )
        return [Record(**row) for row in rows]

    async def history(
        self,
        workspace: str,
        profiles: Sequence[str],
        shards: Sequence[int],
        after: int = 0,
        through: int | None = None,
        limit: int = HISTORY_LIMIT,
    ) -> list[Record]:
        """Read the records of profiles, by the index on them."""
        if len(profiles) != len(shards):
            raise ValueError("there is to be one shard for each profile")
        rows = await self._pool.fetch(
            f"/* history */ SELECT {_COLUMNS}"
            f" FROM {self._schema}.log_history($1, $2, $3, $4, $5, $6)",
            list(shards),
            list(profiles),
            workspace,
            after,
            2**63 - 1 if through is None else through,
            limit,
        )
        return [Record(**row) for row in rows]

    async def resolve(
        self, workspace: str, ids: Sequence[str], shards: Sequence[int]
    ) -> dict[str, Linked]:
        """Read links by their keys."""
        rows = await self._pool.fetch(
            "/* resolve */ SELECT l.id, l.profile, l.position, l.accepted_at"
            f" FROM unnest($1::int[], $2::text[]) AS p (shard, id) JOIN {self._schema}.links AS l"
            "  ON l.shard = p.shard AND l.workspace = $3 AND l.id = p.id WHERE l.id <> l.profile",
            list(shards),
            list(ids),
            workspace,
        )
        return {
            row["id"]: Linked(
                profile=row["profile"], position=row["position"], accepted_at=row["accepted_at"]
            )
            for row in rows
        }

    async def lineage(
        self, workspace: str, profiles: Sequence[str], shards: Sequence[int], through: int
    ) -> dict[str, list[Place]]:
        """Follow the links down, by the index on what ids became part of."""
        found: dict[str, list[Place]] = {
            profile: [(shard, profile)] for shard, profile in zip(shards, profiles, strict=True)
        }
        rows = await self._pool.fetch(
            "/* lineage */ WITH RECURSIVE below AS ("
            f"SELECT p AS profile, l.shard, l.id FROM unnest($1::text[]) AS p"
            f" JOIN {self._schema}.links AS l"
            "  ON l.workspace = $2 AND l.joined = p AND l.id <> l.joined AND l.position <= $3"
            " UNION ALL "
            f"SELECT b.profile, l.shard, l.id FROM below AS b JOIN {self._schema}.links AS l"
            "  ON l.workspace = $2 AND l.joined = b.id AND l.id <> l.joined AND l.position <= $3"
            ") SELECT profile, shard, id FROM below",
            list(profiles),
            workspace,
            through,
        )
        for row in rows:
            found[row["profile"]].append((row["shard"], row["id"]))
        return found

    async def get(self, positions: Collection[int]) -> list[Record]:
        """Read single records."""
        rows = await self._pool.fetch(
            f"/* get */ SELECT {_COLUMNS} FROM {self._schema}.log"
            " WHERE position = ANY($1::bigint[]) ORDER BY position",
            list(positions),
        )
        return [Record(**row) for row in rows]

    async def head(self) -> int:
        """Answer the lane's head."""
        head: int = await self._pool.fetchval(f"/* head */ SELECT head FROM {self._schema}.lane")
        return head

    async def barrier(self, through: int, *, most_ms: int | None = None) -> Barrier:
        """Draw a line; no connection is held while the clock is awaited."""
        while True:
            row = await self._pool.fetchrow(
                f"/* barrier */ SELECT ahead, reached, through FROM {self._schema}.log_barrier($1)",
                through,
            )
            assert row is not None
            if row["ahead"] == 0:
                return Barrier(position=row["reached"], through=row["through"])
            ahead = row["ahead"]
            if most_ms is not None and ahead > most_ms:
                ahead, through = most_ms, through - (ahead - most_ms)
            if ahead > FURTHEST_BARRIER_MS + 1:
                raise BarrierTooFar(through, through + 1 - ahead)
            most_ms = None  # From here on the moment is known.
            await asyncio.sleep(ahead / 1000)

    async def tail(
        self,
        positions: Mapping[int, int] | None,
        after: int = 0,
        max_batch: int = TAIL_BATCH,
        stop_at_head: bool = False,
    ) -> AsyncIterator[Batch]:
        """Follow the log, woken by its notices and by a slow poll."""
        following = Tail(self._pool, self._schema, positions, after, max_batch)
        async with self._notices.subscribe(f"{self._schema}_log") as noticed:
            async for batch in following.run(noticed, self._safety_poll, stop_at_head):
                yield batch


@cache
def _append_sql(schema: str, function: str, count: int, checked: bool) -> str:
    """Write the call of an append with so many arguments, and perhaps how many deletions are known.

    Deletions are looked at in the same call: what is appended in vain is undone by the error.
    """
    arguments = ", ".join(f"${number}" for number in range(1, count + 1))
    known = f" WHERE {schema}.log_knows(${count + 1})" if checked else ""
    return f"/* append */ SELECT positions, accepted FROM {schema}.{function}({arguments}){known}"


def _naming(entries: Sequence[Entry]) -> list[Any]:
    """Make the columns of who is named by an anonymous id, and of links; null where there are none.

    Most batches have neither.
    """
    anonymous = [entry.anonymous or None for entry in entries]
    links = [(place, entry.link) for place, entry in enumerate(entries, 1) if entry.link]
    return [
        anonymous if any(anonymous) else None,
        [place for place, _ in links] or None,
        [link.shard for _, link in links] or None,
        [link.id for _, link in links] or None,
        [link.asked for _, link in links] or None,
    ]
