"""Follows a log in Postgres, and sees to it that nothing is skipped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import asyncpg
import structlog

from hairspring.database.notices import wait_until_set
from hairspring.log.port import Batch, PositionAhead, PositionLost, Record

_log = structlog.get_logger(__name__)

SAFETY_POLL_SECONDS = 1.0

# With only some of the shards to give, more of the log is looked at in one go than is given.
_WINDOW_OF_SOME = 8

# One snapshot answers all: how far the log goes, how many records stand in the window (as many as
# positions, or something is wrong), and those that are asked for. There is always a first row.
_READ = """/* tail */
SELECT lane.head, lane.trimmed, w.through, s.seen,
       r.position, r.shard, r.workspace, r.profile, r.accepted_at, r.payload
FROM {schema}.lane
CROSS JOIN LATERAL (SELECT least(lane.head, $1::bigint + $2::bigint) AS through) AS w
CROSS JOIN LATERAL (
    SELECT count(*) AS seen FROM {schema}.log AS l
    WHERE l.position > $1 AND l.position <= w.through
) AS s
LEFT JOIN LATERAL (
    SELECT l.* FROM {schema}.log AS l
    WHERE l.position > $1 AND l.position <= w.through
      AND ($3::int[] IS NULL OR l.shard = ANY ($3))
    ORDER BY l.position LIMIT $4
) AS r ON true
ORDER BY r.position
"""


# A plan may not know of a partition that was made meanwhile, so a gap is looked at again at once.
_AGAIN_SECONDS = 0.01


class _Gap(Exception):
    """A record that must be there is not: so many of those up to a position were seen."""

    def __init__(self, through: int, seen: int) -> None:
        super().__init__(f"{seen} records were seen up to position {through}")
        self.through, self.seen = through, seen


class Tail:
    """One reader: where it stands, and what it asks for."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        schema: str,
        positions: Mapping[int, int] | None,
        after: int,
        max_batch: int,
    ) -> None:
        self._pool = pool
        self._schema = schema
        self._query = _READ.format(schema=schema)
        self._positions = None if positions is None else dict(positions)
        self._after = after if positions is None else min(positions.values(), default=0)
        self._max_batch = max_batch
        self._window = max_batch * (1 if positions is None else _WINDOW_OF_SOME)

    async def run(
        self, noticed: asyncio.Event, safety_poll: float, stop_at_head: bool
    ) -> AsyncIterator[Batch]:
        """Give batches; at the head, wait for a notice or for the safety poll (in seconds)."""
        last = await self._begin()
        gaps = 0
        while not (stop_at_head and self._after >= last):
            noticed.clear()
            try:
                batch = await self._next()
            except _Gap as gap:
                gaps += 1
                if gaps > 1:
                    await self._report_gap(gap.through, gap.seen)
                await asyncio.sleep(safety_poll if gaps > 1 else _AGAIN_SECONDS)
                continue
            gaps = 0
            if batch is None:
                await wait_until_set(noticed, safety_poll)
            else:
                self._after = batch.through
                yield batch

    async def _begin(self) -> int:
        """Find the place to begin, and answer the head."""
        row = await self._pool.fetchrow(f"SELECT head, trimmed FROM {self._schema}.lane")
        assert row is not None
        asked = [self._after] if self._positions is None else list(self._positions.values())
        for position in asked:
            if position > row["head"]:
                raise PositionAhead(position, row["head"])
            if 0 < position < row["trimmed"]:
                raise PositionLost(position, row["trimmed"])
        self._after = max(self._after, row["trimmed"])
        head: int = row["head"]
        return head

    async def _next(self) -> Batch | None:
        """Read on; None at the head. Raises _Gap where a record that must be there is missing."""
        rows = await self._pool.fetch(
            self._query,
            self._after,
            self._window,
            None if self._positions is None else list(self._positions),
            self._max_batch,
        )
        first = rows[0]
        through: int = first["through"]
        if self._after < first["trimmed"]:
            raise PositionLost(self._after, first["trimmed"])
        if through < self._after:
            raise PositionAhead(self._after, first["head"])
        if through == self._after:
            return None
        if first["seen"] != through - self._after:
            raise _Gap(through, first["seen"])
        if len(rows) == self._max_batch and first["position"] is not None:
            through = rows[-1]["position"]
        return Batch(records=self._records(rows), through=through)

    def _records(self, rows: list[asyncpg.Record]) -> list[Record]:
        """Make records of the rows, without those that the reader has had already."""
        if rows[0]["position"] is None:
            return []
        had = self._positions
        return [
            Record(position, shard, workspace, profile, accepted_at, payload)
            for _, _, _, _, position, shard, workspace, profile, accepted_at, payload in rows
            if had is None or position > had[shard]
        ]

    async def _report_gap(self, through: int, seen: int) -> None:
        """Say which record is missing first. It is waited for: to go on would be to lose it."""
        missing = await self._pool.fetchval(
            f"SELECT min(p) FROM generate_series($1::bigint, $2::bigint) AS p WHERE NOT EXISTS"
            f" (SELECT FROM {self._schema}.log AS l WHERE l.position = p)",
            self._after + 1,
            through,
        )
        _log.error(
            "log_gap_found",
            schema=self._schema,
            after=self._after,
            through=through,
            seen=seen,
            first_missing=missing,
        )
