"""Runs rebuilding and paging in beside the loop that rings, at most one of them for each shard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import structlog

from hairspring.timers.agenda import AT_ONCE
from hairspring.timers.paging import Paging, Wake

log = structlog.get_logger(__name__)

OnShards = Callable[[frozenset[int]], Awaitable[None]]


class Filling:
    """Has shards filled in tasks of their own. What fails is logged, and tried by the next poll.

    `now` answers the time on the queue's clock (ms, UTC), `wake` takes timers that were scheduled,
    and `ring` shards that are to be asked at once.
    """

    def __init__(
        self,
        name: str,
        *,
        on_lost: OnShards,
        paging: Paging | None,
        now: Callable[[], int],
        wake: Wake,
        ring: Callable[[Iterable[int]], None],
    ) -> None:
        self._name = name
        self._on_lost = on_lost
        self._paging = paging
        self._now = now
        self._wake = wake
        self._ring = ring
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._unfinished: set[int] = set()

    def rebuild(self, lost: Iterable[int]) -> None:
        """Have lost shards rebuilt, except those in whose filling a task is at work."""
        found = frozenset(lost) - self._tasks.keys()
        if found:
            log.warning("timers_lost", loop=self._name, shards=sorted(found))
            self._start(self._rebuild(found), found, "rebuild")

    def poll(self, epochs: Mapping[int, int]) -> None:
        """Go on with what was not finished, and page in what comes within the horizon.

        To the queue a shard whose rebuild broke off is as any other, so it is remembered here.
        """
        self._unfinished &= epochs.keys()
        self.rebuild(self._unfinished)
        now = self._now()
        if self._paging is None or now == AT_ONCE:
            return
        found = [s for s in self._paging.wanting(epochs, now) if s not in self._tasks]
        if found:
            self._start(self._page_in(self._paging, found, epochs), found, "paging")

    async def end(self) -> None:
        """End all tasks."""
        tasks = set(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _rebuild(self, shards: frozenset[int]) -> None:
        try:
            await self._on_lost(shards)
            log.info("timers_rebuilt", loop=self._name, shards=sorted(shards))
        except Exception:
            self._unfinished |= shards
            log.exception("timer_rebuild_failed", loop=self._name, shards=sorted(shards))
        else:
            self._unfinished -= shards
            self._ring(shards)
        finally:
            self._done(shards)

    async def _page_in(
        self, paging: Paging, shards: Sequence[int], epochs: Mapping[int, int]
    ) -> None:
        try:
            for shard in shards:
                await paging.page_in(shard, epochs=epochs, now=self._now(), wake=self._wake)
                self._done([shard])
        except Exception:
            log.exception("timer_paging_failed", loop=self._name, shards=len(shards))
        finally:
            self._done(shards)

    def _start(self, filling: Coroutine[Any, Any, None], shards: Iterable[int], what: str) -> None:
        task = asyncio.create_task(filling, name=f"{self._name}-{what}")
        self._tasks.update(dict.fromkeys(shards, task))

    def _done(self, shards: Iterable[int]) -> None:
        """Let others fill these shards, unless somebody else does already."""
        task = asyncio.current_task()
        for shard in shards:
            if self._tasks.get(shard) is task:
                del self._tasks[shard]
