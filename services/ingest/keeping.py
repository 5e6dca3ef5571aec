"""Keeping: for how long events are kept, and who still has to read them."""

import asyncio

import asyncpg
from hairspring.log.retention import Retention, Trimmed
from hairspring.runtime.logging import get_logger
from hairspring.wire.times import DAY_MS

LOOK_SECONDS = 600.0
FIRST_LOOK_SECONDS = 5.0

_REPORT = """/* report_progress */
INSERT INTO {schema}.subscribers AS s (subscriber, position, reported_at)
VALUES ($1, $2, {schema}.log_clock())
ON CONFLICT (subscriber) DO UPDATE
SET position = excluded.position, reported_at = excluded.reported_at
"""
_SLOWEST = """/* slowest_subscriber */
SELECT subscriber, position FROM {schema}.subscribers ORDER BY position LIMIT 1
"""
_CLOCK = """/* clock */
SELECT {schema}.log_clock()
"""


class Keeping:
    """Has the log of a schema keep `days` of events, and whatever somebody still has to read.

    0 days keep everything.
    """

    def __init__(
        self, pool: asyncpg.Pool, schema: str, retention: Retention, *, days: float
    ) -> None:
        self._pool = pool
        self._schema = schema
        self._retention = retention
        self._keep_ms = int(days * DAY_MS)
        self._log = get_logger()

    async def run(self) -> None:
        """Drop what is old enough, looking now and then, without end."""
        await asyncio.sleep(FIRST_LOOK_SECONDS)
        while True:
            try:
                await self.look()
            except asyncpg.LockNotAvailableError:
                await asyncio.sleep(FIRST_LOOK_SECONDS)
                continue
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> Trimmed | None:
        """Drop what is old enough now; answers the last that went."""
        await self._retention.settle(self._keep_ms)
        if not self._keep_ms:
            return None
        through = await self.read_by_all()
        if through is None:
            self._log.info("retention_waits", reason="no subscriber has told how far it is")
            return None
        before = await self._pool.fetchval(_CLOCK.format(schema=self._schema)) - self._keep_ms
        return await self._retention.trim(before=before, through=through)

    async def read_by_all(self) -> int | None:
        """Answer up to which position all subscribers have read; None where none has told."""
        row = await self._pool.fetchrow(_SLOWEST.format(schema=self._schema))
        return None if row is None else int(row["position"])

    async def report(self, subscriber: str, position: int) -> None:
        """Note how far a subscriber has come for good."""
        await self._pool.execute(_REPORT.format(schema=self._schema), subscriber, position)

    async def kept_since(self) -> int | None:
        """Answer up to when (ms, UTC) events were dropped; None where all are kept."""
        trimmed = await self._retention.trimmed()
        return None if trimmed is None else trimmed.accepted_at
