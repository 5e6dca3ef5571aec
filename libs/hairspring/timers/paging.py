"""Fills the queue from the truth: what is due within a horizon, and all of it after a loss."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from hairspring.timers.horizon import Horizon
from hairspring.timers.port import SERVED, DelayQueue, Outcome, Timer

Wake = Callable[[Sequence[Timer]], None]
"""Is told of timers that were scheduled just now."""

PAGE = 1_000
NEAR_MS = 60_000
"""What is due within this time is brought back first when several shards were lost."""


class Read(Protocol):
    """Reads timers where they are kept for good."""

    async def __call__(
        self, shard: int, start: int, end: int, after: Timer | None, limit: int
    ) -> Sequence[Timer]:
        """Answer those with start <= due_at < end (ms, UTC), by due time, after the one given.

        Timers of one time come in some order that stays the same. Fewer than `limit` are the last.
        """


class Paging:
    """Keeps the queue filled up to its horizon, so that far-off timers take no memory there.

    `read` answers what was committed. Schedule through here what was committed just now.
    """

    def __init__(
        self,
        queue: DelayQueue,
        read: Read,
        *,
        horizon_ms: int,
        generations: Callable[[], str] = lambda: secrets.token_hex(8),
        page: int = PAGE,
        near_ms: int = NEAR_MS,
    ) -> None:
        self._horizon = Horizon(horizon_ms)
        self._queue = queue
        self._read = read
        self._generations = generations
        self._page = page
        self._near = near_ms

    async def schedule(self, timers: Sequence[Timer], *, epochs: Mapping[int, int]) -> list[Timer]:
        """Schedule what is due within the horizon and answer it; the rest is paged in in time.

        A timer that moves beyond the horizon may still ring at the time that it had before.
        Raises QueueUnavailable; then the shards concerned count as lost.
        """
        near = [timer for timer in timers if self._horizon.admits(timer.shard, timer.due_at)]
        if near:
            await self._queue.schedule(near, epochs=epochs)
        return near

    def wanting(self, epochs: Mapping[int, int], now: int) -> list[int]:
        """Answer the shards to page in now, the most urgent first; `epochs` names what is owned."""
        self._horizon.keep(epochs)
        return self._horizon.wanting(now)

    async def page_in(self, shard: int, *, epochs: Mapping[int, int], now: int, wake: Wake) -> None:
        """Read on up to the horizon; `wake` is told what was found.

        A shard that was lost or fenced meanwhile stays as it was. Raises QueueUnavailable.
        """
        start, end = self._horizon.begin(shard, now)
        outcome = await self._fill(shard, start, end, epochs, wake)
        if outcome.ok:
            self._horizon.done(shard, end)

    async def rebuild(
        self,
        shards: Collection[int],
        *,
        epochs: Mapping[int, int],
        now: Callable[[], int],
        wake: Wake,
    ) -> None:
        """Fill lost shards anew: first what is due soon in each of them, then the rest.

        Raises QueueUnavailable, Fenced, and QueueLost where one was lost again.
        """
        generations = {shard: self._generations() for shard in shards}
        for shard, generation in generations.items():
            self._horizon.lost(shard)
            await self._queue.begin(shard, epoch=epochs[shard], generation=generation)
            if len(shards) > 1:
                await self._fill(shard, 0, now() + self._near, epochs, wake)
        for shard, generation in generations.items():
            _, end = self._horizon.begin(shard, now())
            await self._fill(shard, 0, end, epochs, wake)
            await self._queue.complete(shard, epoch=epochs[shard], generation=generation)
            self._horizon.done(shard, end)

    async def _fill(
        self, shard: int, start: int, end: int, epochs: Mapping[int, int], wake: Wake
    ) -> Outcome:
        """Schedule what was committed with these due times; newer schedules are left alone."""
        after = None
        while page := await self._read(shard, start, end, after, self._page):
            outcome = await self._queue.schedule(page, epochs=epochs, earliest=True)
            if not outcome.ok:
                return outcome
            wake(page)
            if len(page) < self._page:
                break
            after = page[-1]
        return SERVED
