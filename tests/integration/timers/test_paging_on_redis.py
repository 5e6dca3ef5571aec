"""A short horizon on a real server: memory holds what is near, and all rings all the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable

import pytest
from hairspring.timers import Claimed, Claims, Timer
from hairspring.timers.loop import LoopSettings, TimerLoop
from hairspring.timers.paging import Paging
from hairspring.timers.redis import RedisDelayQueue
from redis.asyncio import Redis

from tests.support.waiting import eventually

SHARDS = 4
HORIZON = 400


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Owner:
    """Keeps what is pending, and works on a queue with a horizon of some tenths of a second."""

    def __init__(self, queue: RedisDelayQueue) -> None:
        self.queue = queue
        self.pending: dict[str, Timer] = {}
        self.rebuilds = 0
        self.epochs = dict.fromkeys(range(SHARDS), 1)
        self.paging = Paging(queue, self.read, horizon_ms=HORIZON, page=20)
        self.loop = TimerLoop(
            queue,
            epochs=lambda: self.epochs,
            on_due=self.on_due,
            on_lost=self.on_lost,
            paging=self.paging,
            settings=LoopSettings(poll_ms=50),
        )

    async def read(
        self, shard: int, start: int, end: int, after: Timer | None, limit: int
    ) -> list[Timer]:
        place = (start, "") if after is None else (after.due_at, after.member)
        found = sorted((t.due_at, t.member) for t in self.pending.values() if t.shard == shard)
        return [self.pending[m] for at, m in found if place < (at, m) and at < end][:limit]

    async def on_due(self, claims: Claims) -> Iterable[Claimed]:
        for one in claims.claimed:
            self.pending.pop(one.member, None)
        return claims.claimed

    async def on_lost(self, shards: frozenset[int]) -> None:
        self.rebuilds += 1
        await self.paging.rebuild(
            shards, epochs=self.epochs, now=self.loop.now, wake=self.loop.wake
        )

    async def add(self, count: int, over_ms: int) -> None:
        first = now_ms()
        timers = [
            Timer(shard=i % SHARDS, member=f"p{i:03}", due_at=first + i * over_ms // count)
            for i in range(count)
        ]
        self.pending.update((t.member, t) for t in timers)
        self.loop.wake(await self.paging.schedule(timers, epochs=self.epochs))

    async def held(self) -> int:
        return await self.queue.pending(range(SHARDS))


@pytest.fixture
async def owner(redis_url: str) -> AsyncIterator[Owner]:
    """An owner at work on an empty server."""
    async with RedisDelayQueue.open(redis_url, "hairspring:trial", verify_every_ms=50) as queue:
        owner = Owner(queue)
        running = asyncio.create_task(owner.loop.run(), name="timers-under-test")
        await eventually(lambda: not owner.paging.wanting(owner.epochs, owner.loop.now()))
        yield owner
        owner.loop.stop()
        await asyncio.wait_for(running, 5)


async def test_far_off_timers_wait_elsewhere(owner: Owner) -> None:
    """Of timers over four lengths of the horizon, Redis never holds half."""
    count = 400
    await owner.add(count, 4 * HORIZON)
    most = 0
    while owner.pending:
        most = max(most, await owner.held())
        await asyncio.sleep(0.01)
    assert 0 < most <= count // 2
    await eventually(lambda: _empty(owner))


async def test_a_flush_brings_back_what_is_near(owner: Owner, redis_url: str) -> None:
    """After FLUSHALL the horizon is filled again, and the rest comes in its time."""
    await owner.add(200, 3 * HORIZON)
    await eventually(lambda: len(owner.pending) < 150)
    before = owner.rebuilds
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
    await eventually(lambda: owner.rebuilds > before)  # of all shards at once, or of one by one
    await eventually(lambda: not owner.pending)


async def test_the_next_owner_fills_what_was_not_told(owner: Owner) -> None:
    """What was committed and never scheduled, since its process died, rings for the next owner."""
    await owner.add(10, 100)
    await eventually(lambda: not owner.pending)
    owner.pending["lost"] = Timer(shard=2, member="lost", due_at=now_ms() + 50)
    epochs, before = dict.fromkeys(range(SHARDS), 2), owner.rebuilds
    assert (await owner.queue.take(epochs)).ok
    owner.epochs = epochs
    await eventually(lambda: not owner.pending)
    assert owner.rebuilds == before


async def _empty(owner: Owner) -> bool:
    return await owner.held() == 0
