"""Ways in which other delay queues are known to fail, tried on the real server.

The README of the timers lists all of them, and the test of each.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from hairspring.embedded.valkey import ValkeyServer
from hairspring.timers import Claimed, Claims, QueueUnavailable, Timer
from hairspring.timers.loop import TimerLoop
from hairspring.timers.redis import RedisDelayQueue
from redis.asyncio import Redis

from tests.support.waiting import eventually

EPOCHS = {0: 1, 1: 1}
LEASE = 30_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def timers(prefix: str, count: int, due_at: int) -> list[Timer]:
    return [Timer(shard=i % 2, member=f"{prefix}-{i}", due_at=due_at) for i in range(count)]


@asynccontextmanager
async def opened(url: str, namespace: str) -> AsyncIterator[RedisDelayQueue]:
    """A queue of its own name whose shards are whole."""
    async with RedisDelayQueue.open(url, namespace, timeout_ms=5_000) as queue:
        for shard in EPOCHS:
            await queue.begin(shard, epoch=1, generation="first")
            await queue.complete(shard, epoch=1, generation="first")
        yield queue


async def test_a_claim_whose_answer_is_lost_takes_nothing_away(
    redis_url: str, valkey_server: ValkeyServer
) -> None:
    """What was claimed and never arrived counts all along, and rings again after its lease.

    Who takes out in one step and puts elsewhere in another loses it between the two.
    """
    async with (
        opened(redis_url, "lost") as queue,
        RedisDelayQueue.open(redis_url, "lost", timeout_ms=300) as dying,
        Redis.from_url(redis_url) as redis,
    ):
        await queue.schedule(timers("p", 100, now_ms() - 1), epochs=EPOCHS)
        await queue.claim([0, 1], 0, LEASE, epochs=EPOCHS)  # now the server knows the script
        await eventually(lambda: _connected(dying))
        os.kill(valkey_server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(QueueUnavailable):
                await dying.claim([0, 1], 100, 50, epochs=EPOCHS)
        finally:
            os.kill(valkey_server.pid, signal.SIGCONT)
        await eventually(lambda: _leased(redis, "lost", 100))
        assert await queue.pending([0, 1]) == 100

        rung = list[str]()

        async def again() -> bool:
            claims = await queue.claim([0, 1], 100, LEASE, epochs=EPOCHS)
            rung.extend(one.member for one in claims.claimed)
            return len(rung) == 100

        await eventually(again)
        assert len(set(rung)) == 100


async def test_a_backlog_of_one_kind_holds_up_no_other(redis_url: str) -> None:
    """While thousands of waits are due and their owner hangs, an alarm rings all the same."""
    stuck, rung = asyncio.Event(), list[str]()

    async def hang(claims: Claims) -> Iterable[Claimed]:
        stuck.set()
        await asyncio.Event().wait()
        return []

    async def ring(claims: Claims) -> Iterable[Claimed]:
        rung.extend(one.member for one in claims.claimed)
        return claims.claimed

    async with opened(redis_url, "waits") as waits, opened(redis_url, "alarms") as alarms:
        await waits.schedule(timers("wait", 5_000, now_ms() - 1), epochs=EPOCHS)
        loops = [
            TimerLoop(waits, epochs=lambda: EPOCHS, on_due=hang),
            TimerLoop(alarms, epochs=lambda: EPOCHS, on_due=ring),
        ]
        running = [asyncio.create_task(loop.run(), name="timers-under-test") for loop in loops]
        try:
            await stuck.wait()
            alarm = timers("alarm", 1, now_ms())
            await alarms.schedule(alarm, epochs=EPOCHS)
            loops[1].wake(alarm)
            await eventually(lambda: rung == ["alarm-0"])
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def test_eviction_is_noticed(redis_url: str) -> None:
    """A server that throws keys away, though it should be set not to, is found to have done so."""
    async with opened(redis_url, "evicted") as queue, Redis.from_url(redis_url) as redis:
        await queue.schedule(timers("p", 100, now_ms() + 60_000), epochs=EPOCHS)
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            await redis.config_set("maxmemory", "1")
            await eventually(lambda: _is_empty(redis))
        finally:
            await redis.config_set("maxmemory", "0")
            await redis.config_set("maxmemory-policy", "noeviction")
        assert (await queue.claim([0, 1], 100, LEASE, epochs=EPOCHS)).lost == {0, 1}


async def _connected(queue: RedisDelayQueue) -> bool:
    await queue.ping()
    return True


async def _leased(redis: Redis, namespace: str, count: int) -> bool:
    sizes = [await redis.zcard(f"{{{namespace}:{shard}}}:leased") - 1 for shard in EPOCHS]
    return sum(sizes) == count


async def _is_empty(redis: Redis) -> bool:
    return int(await redis.dbsize()) == 0
