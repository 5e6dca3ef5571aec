"""Imports: history that is added under one id until it is finished.

Every append and the end of an import first lock the import's row, then the lane of the log: so
nothing of an import follows its end in the log.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from hairspring.log.port import Appended, Entry, Log
from hairspring.runtime.errors import Conflict, Exhausted, NotFound
from hairspring.runtime.logging import get_logger
from hairspring.services.ingest.appending import Outcome, append_splitting
from hairspring.services.ingest.gone import Gone
from hairspring.wire.events import finished_payload

CONCURRENT = 2
MAX_WAITING = 64
ACQUIRE_SECONDS = 5.0

_TOUCH = """/* touch_import */
INSERT INTO {schema}.imports AS i (workspace, import_id, last_append_at)
VALUES ($1, $2, {schema}.log_clock())
ON CONFLICT (workspace, import_id) DO UPDATE SET last_append_at = excluded.last_append_at
WHERE i.finished_position IS NULL
RETURNING true
"""
_LOCK = """/* lock_import */
SELECT finished_position FROM {schema}.imports
WHERE workspace = $1 AND import_id = $2 FOR UPDATE
"""
_FINISH = """/* finish_import */
UPDATE {schema}.imports SET finished_position = $3, with_flows = $4
WHERE workspace = $1 AND import_id = $2
"""
_SILENT = """/* silent_imports */
SELECT workspace, import_id FROM {schema}.imports
WHERE finished_position IS NULL AND last_append_at <= {schema}.log_clock() - $1::bigint
ORDER BY last_append_at LIMIT 100
"""
_STILL_SILENT = """/* still_silent */
SELECT true FROM {schema}.imports WHERE workspace = $1 AND import_id = $2
AND finished_position IS NULL AND last_append_at <= {schema}.log_clock() - $3::bigint
FOR UPDATE SKIP LOCKED
"""


class Imports:
    """Adds to imports and finishes them, in the tables of a schema."""

    def __init__(
        self, pool: asyncpg.Pool, log: Log, gone: Gone, schema: str, *, shards: int
    ) -> None:
        self._pool = pool
        self._log = log
        self._gone = gone
        self._schema = schema
        self._shards = shards
        self._turns = asyncio.Semaphore(CONCURRENT)
        self._waiting = 0

    async def append(
        self, workspace: str, import_id: str, entries: Sequence[Entry]
    ) -> list[Outcome]:
        """Append entries under an import, which begins with its first call.

        Raises Conflict when the import is finished, Exhausted when too many callers wait.
        """

        async def put(part: Sequence[Entry], knows: int) -> list[Appended]:
            async with self._transaction() as connection:
                if not await self._fetchval(connection, _TOUCH, workspace, import_id):
                    raise _finished_already(import_id)
                return await self._log.append_in(connection, part, knows=knows)

        async def append(part: Sequence[Entry]) -> list[Outcome]:
            return await self._gone.append(part, put)

        if self._waiting >= MAX_WAITING:
            raise Exhausted("too many imports run at once; try again in a moment")
        self._waiting += 1
        try:
            async with self._turns:
                if not entries:
                    return await self._touch(workspace, import_id)
                return await append_splitting(append, entries)
        finally:
            self._waiting -= 1

    async def finish(self, workspace: str, import_id: str, *, with_flows: bool) -> int:
        """Finish an import, and answer its last position; the same when it is asked again.

        Raises NotFound for an import that never began.
        """
        async with self._turns, self._transaction() as connection:
            row = await connection.fetchrow(_LOCK.format(schema=self._schema), workspace, import_id)
            if row is None:
                raise NotFound(
                    f"there is no import {import_id!r}: nothing was imported under this id",
                    import_id=import_id,
                )
            done: int | None = row["finished_position"]
            if done is not None:
                return done
            return await self._close(connection, workspace, import_id, with_flows)

    async def finish_silent(self, silence_ms: int) -> int:
        """Finish the imports that nothing was added to for so long, and answer how many."""
        found = await self._pool.fetch(_SILENT.format(schema=self._schema), silence_ms)
        finished = 0
        for row in found:
            workspace, import_id = row["workspace"], row["import_id"]
            async with self._turns, self._transaction() as connection:
                if await self._fetchval(
                    connection, _STILL_SILENT, workspace, import_id, silence_ms
                ):
                    await self._close(connection, workspace, import_id, False)
                    finished += 1
        return finished

    async def _touch(self, workspace: str, import_id: str) -> list[Outcome]:
        """Begin or prolong an import to which nothing is added."""
        async with self._transaction() as connection:
            if not await self._fetchval(connection, _TOUCH, workspace, import_id):
                raise _finished_already(import_id)
        return []

    async def _close(
        self, connection: Any, workspace: str, import_id: str, with_flows: bool
    ) -> int:
        """Append the end of an import to every shard, and remember where it stands."""
        payload = finished_payload(import_id, with_flows=with_flows)
        ends = [
            Entry(shard=shard, workspace=workspace, profile="", payload=payload)
            for shard in range(self._shards)
        ]
        appended = await self._log.append_in(connection, ends)
        position = max(one.position for one in appended)
        await connection.execute(
            _FINISH.format(schema=self._schema), workspace, import_id, position, with_flows
        )
        get_logger().info(
            "import_finished", import_id=import_id, position=position, with_flows=with_flows
        )
        return position

    async def _fetchval(self, connection: Any, query: str, *values: object) -> Any:
        return await connection.fetchval(query.format(schema=self._schema), *values)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        """Give a connection inside a transaction; waits for it for some seconds at most."""
        async with (
            self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection,
            connection.transaction(),
        ):
            yield connection


def _finished_already(import_id: str) -> Conflict:
    return Conflict(
        f"the import {import_id!r} is finished: begin a new one, under an id of its own",
        import_id=import_id,
    )
