"""The timer loop on a real server that comes and goes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable

import pytest
from hairspring.embedded.valkey import ValkeyServer
from hairspring.timers import Claimed, Claims, QueueUnavailable, Timer
from hairspring.timers.loop import LoopSettings, TimerLoop
from hairspring.timers.redis import RedisDelayQueue
from redis.asyncio import Redis

from tests.support.waiting import eventually

SHARDS = 4


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Ledger:
    """Stands for Postgres: knows every pending timer, and what was done, when."""

    def __init__(self, queue: RedisDelayQueue) -> None:
        self.queue = queue
        self.epochs = dict.fromkeys(range(SHARDS), 1)
        self.pending: dict[str, Timer] = {}
        self.done: dict[str, int] = {}
        self.put = Counter[str]()
        self.rung = Counter[str]()
        self.rebuilt = Counter[int]()
        self.swept = 0
        self.generation = 0
        self.loop = TimerLoop(
            queue,
            epochs=lambda: self.epochs,
            on_due=self.on_due,
            on_lost=self.rebuild,
            on_unavailable=self.sweep,
            settings=LoopSettings(poll_ms=200, sweep_ms=200, longest_backoff_ms=200),
        )

    def finish(self, member: str) -> None:
        """Do what a timer is for, once."""
        if self.pending.pop(member, None) is not None:
            self.done[member] = now_ms()

    async def on_due(self, claims: Claims) -> Iterable[Claimed]:
        for one in claims.claimed:
            self.rung[one.member] += 1
            self.finish(one.member)
        return claims.claimed

    async def sweep(self) -> None:
        for timer in [t for t in self.pending.values() if t.due_at <= now_ms()]:
            self.finish(timer.member)
            self.swept += 1

    async def rebuild(self, shards: frozenset[int]) -> None:
        self.generation += 1
        for shard in shards:
            generation = f"rebuild-{self.generation}"
            await self.queue.begin(shard, epoch=1, generation=generation)
            kept = [t for t in self.pending.values() if t.shard == shard]
            self.put.update(t.member for t in kept)
            await self.queue.schedule(kept, epochs=self.epochs, earliest=True)
            await self.queue.complete(shard, epoch=1, generation=generation)
            self.rebuilt[shard] += 1

    async def add(self, timers: list[Timer]) -> None:
        """Commit first, schedule second; what the queue is not told, a rebuild tells it."""
        self.pending.update((t.member, t) for t in timers)
        self.put.update(t.member for t in timers)
        try:
            await self.queue.schedule(timers, epochs=self.epochs)
            self.loop.wake(timers)
        except QueueUnavailable:
            pass

    @property
    def doubled(self) -> list[str]:
        """What rang oftener than it was put in: at first, and by each rebuild that found it."""
        return [member for member, times in self.rung.items() if times > self.put[member]]


@pytest.fixture
async def ledger(redis_url: str) -> AsyncIterator[Ledger]:
    """A running loop with its ledger, on an empty server."""
    async with RedisDelayQueue.open(
        redis_url, "hairspring:trial", timeout_ms=5_000, verify_every_ms=100
    ) as queue:
        ledger = Ledger(queue)
        task = asyncio.create_task(ledger.loop.run(), name="timers-under-test")
        await eventually(lambda: len(ledger.rebuilt) == SHARDS)
        yield ledger
        assert not task.done()
        ledger.loop.stop()
        await asyncio.wait_for(task, 5)
        assert ledger.doubled == []


def some(prefix: str, count: int, over_ms: int, start: int = 0) -> list[Timer]:
    first = now_ms() + start
    return [
        Timer(shard=i % SHARDS, member=f"{prefix}-{i}", due_at=first + i * over_ms // count)
        for i in range(count)
    ]


async def test_all_ring_on_time(ledger: Ledger) -> None:
    """Timers over a second ring once each, none early, and the queue is empty after."""
    timers = some("t", 1_000, 1_000, start=100)
    await ledger.add(timers)
    await eventually(lambda: len(ledger.done) == 1_000)
    late = sorted(ledger.done[t.member] - t.due_at for t in timers)
    assert late[0] >= 0
    assert late[990] < 250
    assert set(ledger.rung.values()) == {1}
    assert await eventually(lambda: _is_empty(ledger.queue))


async def test_flush_is_noticed_and_rebuilt(ledger: Ledger, redis_url: str) -> None:
    """After FLUSHALL in the middle, every timer still rings, and once for each time it was put in.

    Each shard is rebuilt once. What has rung before is not put back, so it does not ring again.
    """
    timers = some("t", 500, 1_500)
    await ledger.add(timers)
    await eventually(lambda: len(ledger.done) > 100)
    before = ledger.rebuilt.copy()
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
    await eventually(lambda: len(ledger.done) == 500)
    await eventually(lambda: all(ledger.rebuilt[shard] > before[shard] for shard in range(SHARDS)))
    assert ledger.swept == 0
    assert ledger.rebuilt == Counter({shard: before[shard] + 1 for shard in range(SHARDS)})
    assert set(ledger.rung.values()) == {1}


async def test_server_dies_and_comes_back(ledger: Ledger, valkey_server: ValkeyServer) -> None:
    """While the server is dead, timers are found by the sweep; after, they ring again in time."""
    await ledger.add(some("a", 200, 1_000))
    await eventually(lambda: len(ledger.done) > 20)
    await valkey_server.kill()
    await ledger.add(some("b", 200, 1_000))
    await eventually(lambda: ledger.swept > 50)
    await valkey_server.start()
    await ledger.add(some("c", 200, 1_000, start=500))
    await eventually(lambda: len(ledger.done) == 600)
    swept = ledger.swept
    await eventually(lambda: ledger.generation >= 2)
    await ledger.add(some("d", 50, 100, start=100))
    await eventually(lambda: len(ledger.done) == 650)
    assert ledger.swept == swept


async def _is_empty(queue: RedisDelayQueue) -> bool:
    return await queue.pending(range(SHARDS)) == 0
