"""A loop with its owner, on the queue in memory and the real clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from hairspring.timers import Claimed, Claims, Timer
from hairspring.timers.loop import LoopSettings, TimerLoop
from hairspring.timers.memory import MemoryDelayQueue

from tests.support.waiting import eventually

FAR = 3_600_000
QUICK = LoopSettings(poll_ms=100, sweep_ms=50, shortest_backoff_ms=5, longest_backoff_ms=20)
PATIENT = LoopSettings(poll_ms=FAR)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class CountingQueue(MemoryDelayQueue):
    """Counts claims, and fails or answers late when told."""

    claims = 0
    asked = 0
    error: Exception | None = None
    gate: asyncio.Event | None = None

    async def claim(
        self, shards: Sequence[int], limit: int, lease_ms: int, *, epochs: Mapping[int, int]
    ) -> Claims:
        self.claims += 1
        self.asked += len(shards)
        if self.error is not None:
            raise self.error
        answer = await super().claim(shards, limit, lease_ms, epochs=epochs)
        if self.gate is not None:
            await self.gate.wait()
        return answer


class Owner:
    """Owns some shards of a queue and writes down what its loop tells it."""

    def __init__(
        self, *, shards: int = 2, settings: LoopSettings = QUICK, clock: Callable[[], int] = now_ms
    ) -> None:
        self.queue = CountingQueue(clock)
        self.epochs = dict.fromkeys(range(shards), 1)
        self.rung: list[str] = []
        self.late: list[int] = []
        self.errors: list[Exception] = []
        self.keep_leased: set[str] = set()
        self.lost: list[frozenset[int]] = []
        self.fenced: list[frozenset[int]] = []
        self.sweeps = 0
        self.loop = TimerLoop(
            self.queue,
            epochs=lambda: self.epochs,
            on_due=self.on_due,
            on_lost=self.on_lost,
            on_fenced=self.on_fenced,
            on_unavailable=self.on_unavailable,
            settings=settings,
        )

    async def on_due(self, claims: Claims) -> Iterable[Claimed]:
        if self.errors:
            raise self.errors.pop(0)
        self.rung += [one.member for one in claims.claimed]
        self.late += [now_ms() - one.due_at for one in claims.claimed]
        return [one for one in claims.claimed if one.member not in self.keep_leased]

    async def on_lost(self, shards: frozenset[int]) -> None:
        self.lost.append(shards)
        for shard in shards:
            await self.queue.begin(shard, epoch=self.epochs[shard], generation="rebuilt")

    async def on_fenced(self, shards: frozenset[int]) -> None:
        self.fenced.append(shards)
        for shard in shards:
            del self.epochs[shard]

    async def on_unavailable(self) -> None:
        self.sweeps += 1

    async def schedule(self, *timers: Timer) -> None:
        await self.queue.schedule(timers, epochs=self.epochs)
        self.loop.wake(timers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        for shard, epoch in self.epochs.items():
            await self.queue.begin(shard, epoch=epoch, generation="first")
        task = asyncio.create_task(self.loop.run(), name="timers-under-test")
        try:
            await eventually(lambda: self.queue.claims > 0)
            yield task
        finally:
            self.loop.stop()
            await asyncio.wait_for(task, 5)


def timer(member: str, in_ms: int, shard: int = 0) -> Timer:
    return Timer(shard=shard, member=member, due_at=now_ms() + in_ms)
