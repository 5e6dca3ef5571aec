"""The log in Postgres: one lane, dense positions, and readers that miss nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from hairspring.database.migrations import Migrations, check_schema_name
from hairspring.database.notices import Notices
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
    Record,
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
    ) -> None:
        self._pool = pool
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
        keys = [entry.repeat_key and entry.repeat_key.hex() for entry in entries]
        checked = "" if knows is None else f" WHERE {self._schema}.log_knows($6)"
        try:
            row = await connection.fetchrow(
                f"/* append */ SELECT positions, accepted"
                f" FROM {self._schema}.log_append($1, $2, $3, $4, $5){checked}",
                [entry.shard for entry in entries],
                [entry.workspace for entry in entries],
                [entry.profile for entry in entries],
                [entry.payload for entry in entries],
                keys if any(keys) else None,
                *(() if knows is None else (knows,)),
            )
        except asyncpg.PostgresError as error:
            if error.sqlstate == _UNKNOWN:
                raise DeletionsUnknown(str(error)) from None
            raise
        accepted_at = row["accepted"]
        return [
            Appended(position=position, accepted_at=accepted_at, repeated=position == 0)
            for position in row["positions"]
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
        done = await connection.execute(
            f"/* erase */ UPDATE {self._schema}.log SET payload = '', profile = $6"
            f" WHERE position = ANY (ARRAY("
            "  SELECT r.position FROM unnest($1::int[], $2::text[]) AS p (shard, profile)"
            f" CROSS JOIN LATERAL (SELECT l.position FROM {self._schema}.log AS l"
            "   WHERE l.shard = p.shard AND l.workspace = $3 AND l.profile = p.profile"
            "   AND l.position < $4 AND l.position <> ALL ($5::bigint[])"
            "   ORDER BY l.position LIMIT $7) AS r LIMIT $7))",
            [shard for shard, _ in places],
            [profile for _, profile in places],
            workspace,
            before,
            list(keep),
            ERASED,
            limit,
        )
        return int(done.rpartition(" ")[2])

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
            f"/* history */ SELECT r.* FROM unnest($1::int[], $2::text[]) AS p (shard, profile)"
            f" CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM {self._schema}.log AS l"
            "  WHERE l.shard = p.shard AND l.workspace = $3 AND l.profile = p.profile"
            "  AND l.position > $4 AND l.position <= $5 ORDER BY l.position LIMIT $6) AS r"
            " ORDER BY r.position LIMIT $6",
            list(shards),
            list(profiles),
            workspace,
            after,
            2**63 - 1 if through is None else through,
            limit,
        )
        return [Record(**row) for row in rows]

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

    async def barrier(self, through: int) -> Barrier:
        """Draw a line; no connection is held while the clock is awaited."""
        while True:
            row = await self._pool.fetchrow(
                f"/* barrier */ SELECT ahead, reached, through FROM {self._schema}.log_barrier($1)",
                through,
            )
            assert row is not None
            if row["ahead"] == 0:
                return Barrier(position=row["reached"], through=row["through"])
            if row["ahead"] > FURTHEST_BARRIER_MS + 1:
                raise BarrierTooFar(through, through + 1 - row["ahead"])
            await asyncio.sleep(row["ahead"] / 1000)

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
