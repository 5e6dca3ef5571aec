"""Retention: whole partitions of a log are dropped once all that they hold is old enough.

The lane is told first, so that no reader looks for what is about to go; then the partition is
detached without stopping anybody, and dropped. Whatever was begun and not ended is ended first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from hairspring.database.migrations import check_schema_name

PARTS = 16
"""A partition lasts for about so small a part of the retention."""

FIRST_WIDTH = 10_000
"""How many records the first partition takes whose time is known."""

MOST_TO_CLOSE = 500_000
"""A partition with more records is not closed before it is full: that would hold up appends."""

DETACH_SECONDS = 120.0

_TRIM = """/* trim */
UPDATE {schema}.lane SET trimmed = $1, trimmed_at = $2 WHERE trimmed < $1
"""
_DETACHED = """/* detached_partitions */
SELECT tablename FROM pg_tables
WHERE schemaname = $1 AND tablename ~ '^log_[0-9]{16}$'
  AND tablename NOT IN (SELECT child FROM {schema}.log_partitions())
  AND substr(tablename, 5)::bigint <= (SELECT trimmed FROM {schema}.lane)
"""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """What was dropped: everything up to a position, accepted up to a moment (ms, UTC)."""

    position: int
    accepted_at: int


class Retention:
    """Drops old partitions of the log of a schema."""

    def __init__(self, pool: asyncpg.Pool, schema: str) -> None:
        self._pool = pool
        self._schema = check_schema_name(schema)

    async def settle(self, keep_ms: int, *, most_to_close: int = MOST_TO_CLOSE) -> None:
        """Have partitions hold a part of `keep_ms` each; 0 for as many records as before.

        To be tried again where it raises asyncpg.LockNotAvailableError: somebody reads just then.
        """
        span = keep_ms // PARTS
        known = await self._pool.fetchval(f"SELECT partition_span FROM {self._schema}.lane")
        if known == span:
            return
        if span == 0:
            await self._pool.execute(
                f"UPDATE {self._schema}.lane SET partition_span = 0, partition_width = 5000000"
            )
            return
        if known > 0:
            await self._pool.execute(f"UPDATE {self._schema}.lane SET partition_span = $1", span)
            return
        async with self._pool.acquire() as connection, connection.transaction():
            closed = await connection.fetchval(
                f"SELECT {self._schema}.log_recut($1, $2, $3)", span, FIRST_WIDTH, most_to_close
            )
        _log.info("partitions_recut", schema=self._schema, span_ms=span, closed=closed)

    async def trim(self, *, before: int, through: int) -> Trimmed | None:
        """Drop what was accepted before a moment (ms, UTC) and stands up to a position.

        Only whole partitions go. Answers the last that went; None where none did, or where somebody
        else is at it.
        """
        done = None
        async with self._alone() as connection:
            if connection is None:
                return None
            await self._end_what_was_begun(connection)
            while (found := await self._oldest(connection, through)) is not None:
                child, last, accepted_at = found
                if accepted_at >= before:
                    break
                await connection.execute(self._sql(_TRIM), last, accepted_at)
                await self._drop(connection, child)
                done = Trimmed(position=last, accepted_at=accepted_at)
                _log.info("partition_dropped", schema=self._schema, partition=child, through=last)
        return done

    async def trimmed(self) -> Trimmed | None:
        """Answer what was dropped up to now; None where everything is kept."""
        row = await self._pool.fetchrow(f"SELECT trimmed, trimmed_at FROM {self._schema}.lane")
        if row is None or not row["trimmed"]:
            return None
        return Trimmed(position=row["trimmed"], accepted_at=row["trimmed_at"])

    async def _oldest(self, connection: Any, through: int) -> tuple[str, int, int] | None:
        """Read the oldest partition that is full, its last position and when that was accepted."""
        row = await connection.fetchrow(
            f"SELECT p.child, p.last, l.accepted_at FROM {self._schema}.log_partitions() AS p"
            f" JOIN {self._schema}.log AS l ON l.position = p.last ORDER BY p.first LIMIT 1"
        )
        if row is None or row["last"] > through:
            return None
        return row["child"], row["last"], row["accepted_at"]

    async def _end_what_was_begun(self, connection: Any) -> None:
        """Drop what was trimmed and is still there, whoever was interrupted."""
        parts = await connection.fetch(f"SELECT * FROM {self._schema}.log_partitions()")
        trimmed = await connection.fetchval(f"SELECT trimmed FROM {self._schema}.lane")
        for part in parts:
            name = f"{self._schema}.{part['child']}"
            if part["detaching"]:
                await connection.execute(
                    f"ALTER TABLE {self._schema}.log DETACH PARTITION {name} FINALIZE"
                )
            elif part["last"] is not None and part["last"] <= trimmed:
                await self._drop(connection, part["child"])
        for row in await connection.fetch(self._sql(_DETACHED), self._schema):
            await connection.execute(f"DROP TABLE {self._schema}.{row['tablename']}")

    async def _drop(self, connection: Any, child: str) -> None:
        """Detach a partition, which readers and writers do not notice, and drop it."""
        await connection.execute(
            f"ALTER TABLE {self._schema}.log DETACH PARTITION {self._schema}.{child} CONCURRENTLY",
            timeout=DETACH_SECONDS,
        )
        await connection.execute(f"DROP TABLE {self._schema}.{child}")

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Any]:
        """Give a connection that only one replica has; None where another one has it."""
        name = f"hairspring.retention.{self._schema}"
        async with self._pool.acquire() as connection:
            if not await connection.fetchval(
                "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name
            ):
                yield None
                return
            try:
                yield connection
            finally:
                if not connection.is_closed():
                    await connection.execute(
                        "SELECT pg_advisory_unlock(hashtextextended($1, 0))", name
                    )

    def _sql(self, text: str) -> str:
        return text.replace("{schema}", self._schema)
