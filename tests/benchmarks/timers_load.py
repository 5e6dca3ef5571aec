"""Loads the delay queue, as a process of its own, and says as lines of JSON how it went.

    python -m tests.benchmarks.timers_load fill --redis URL --count 10000
    python -m tests.benchmarks.timers_load speed --redis URL --server 4711 --count 100000
    python -m tests.benchmarks.timers_load late --redis URL --server 4711 --rate 2000 --seconds 5

`fill` makes the shards and puts timers in that are not due for hours; the others need it first.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import uvloop
from hairspring.timers import Claimed, Claims, Timer
from hairspring.timers.loop import TimerLoop
from hairspring.timers.redis import RedisDelayQueue
from redis.asyncio import Redis

from tests.benchmarks import cpu

SHARDS = 256
BATCH = 500  #: What the evaluator commits at once, so what it schedules at once.
EPOCHS = dict.fromkeys(range(SHARDS), 1)
NAMESPACE = "hairspring:bench"
HOUR_MS = 3_600_000
LEAD_MS = 500
TIMEOUT_MS = 30_000


def now_ms() -> int:
    """The time of day, ms UTC; the server is on this machine, so this is its clock too."""
    return time.time_ns() // 1_000_000


class Stopwatch:
    """Takes what some timers cost: on the wall, and of the cores on both sides."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._of_server = cpu.seconds(server)
        self._of_client = time.process_time()
        self._began = time.perf_counter()

    def stop(self, count: int) -> dict[str, float]:
        """So many a second, and the microseconds of each."""
        seconds = time.perf_counter() - self._began
        return {
            "rate": count / seconds,
            "client": (time.process_time() - self._of_client) / count * 1e6,
            "server": (cpu.seconds(self._server) - self._of_server) / count * 1e6,
        }


def lateness(late: list[float], watch: dict[str, float]) -> dict[str, float]:
    """What is told of how late timers came, ms."""
    late.sort()
    return {
        "p50": late[len(late) // 2],
        "p99": late[len(late) * 99 // 100],
        "most": late[-1],
        **watch,
    }


async def fill(queue: RedisDelayQueue, given: argparse.Namespace) -> dict[str, float]:
    """Makes the shards, and puts timers of the hours to come in; answers the bytes of each."""
    async with Redis.from_url(given.redis) as redis:
        for shard in EPOCHS:
            await queue.begin(shard, epoch=1, generation="bench")
            await queue.complete(shard, epoch=1, generation="bench")
        before = await _used(redis)
        timers = _timers("pending", given.count, now_ms() + 2 * HOUR_MS, over_ms=4 * HOUR_MS)
        for some in _batches(timers, 4 * BATCH):
            assert (await queue.schedule(some, epochs=EPOCHS)).ok
        return {"bytes": (await _used(redis) - before) / given.count}


async def speed(queue: RedisDelayQueue, given: argparse.Namespace) -> dict[str, Any]:
    """Schedules, cancels, and lets a backlog ring, all as the services do it."""
    timers = [*_timers("speed", given.count, now_ms() + HOUR_MS, over_ms=HOUR_MS)]
    watch = Stopwatch(given.server)
    for some in _batches(timers, BATCH):
        assert (await queue.schedule(some, epochs=EPOCHS)).ok
    scheduled = watch.stop(len(timers))
    watch = Stopwatch(given.server)
    for some in _batches(timers, BATCH):
        gone = [(timer.shard, timer.member) for timer in some]
        assert (await queue.cancel(gone, epochs=EPOCHS)).ok
    cancelled = watch.stop(len(timers))
    due = [*_timers("speed", given.count, now_ms() - HOUR_MS, over_ms=HOUR_MS)]
    for some in _batches(due, BATCH):
        assert (await queue.schedule(some, epochs=EPOCHS)).ok
    ringing = _Ringing(queue, len(due))
    watch = Stopwatch(given.server)
    await ringing.loop.run()
    return {"schedule": scheduled, "cancel": cancelled, "claim": watch.stop(len(due))}


async def late(queue: RedisDelayQueue, given: argparse.Namespace) -> dict[str, float]:
    """Lets so many a second ring, and takes how late they come into the hands of their owner."""
    count = int(given.rate * given.seconds)
    first = now_ms() + LEAD_MS + count // 50
    timers = [*_timers("late", count, first, over_ms=int(given.seconds * 1000))]
    for some in _batches(timers, BATCH):
        assert (await queue.schedule(some, epochs=EPOCHS)).ok
    assert now_ms() < first, "scheduling took longer than was foreseen"
    # What lies around here is not in a service, and would be looked through by each collection.
    gc.freeze()
    await asyncio.sleep((first - now_ms()) / 1000 - 0.1)
    ringing = _Ringing(queue, count)
    watch = Stopwatch(given.server)
    await ringing.loop.run()
    return lateness(ringing.late, watch.stop(count))


class _Ringing:
    """A timer loop as the services have it, until so many timers have rung."""

    def __init__(self, queue: RedisDelayQueue, count: int) -> None:
        self.late: list[float] = []
        self._count = count
        self.loop = TimerLoop(queue, epochs=lambda: EPOCHS, on_due=self._on_due)

    async def _on_due(self, claims: Claims) -> Iterable[Claimed]:
        now = time.time_ns() / 1e6
        self.late.extend(now - one.due_at for one in claims.claimed)
        if len(self.late) >= self._count:
            self.loop.stop()
        return claims.claimed


def _timers(prefix: str, count: int, first: int, *, over_ms: int) -> Iterator[Timer]:
    """Timers of profiles in all shards, in the order of their due times."""
    drawn = random.Random(1)
    for number in range(count):
        yield Timer(
            shard=drawn.randrange(SHARDS),
            member=f"default/{prefix}-{number:08}",
            due_at=first + number * over_ms // count,
        )


def _batches(timers: Iterable[Timer], size: int) -> Iterator[list[Timer]]:
    left = iter(timers)
    while some := [*islice(left, size)]:
        yield some


async def _used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


def arguments(given: list[str], roles: Iterable[str]) -> argparse.Namespace:
    """Read what a load is told; all loads are told the same."""
    parser = argparse.ArgumentParser(description="Loads a delay queue.")
    parser.add_argument("role", choices=roles)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--server", type=int, default=0, help="the process id of the server")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=2_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    return parser.parse_args(given)


async def _run(given: argparse.Namespace) -> dict[str, Any]:
    role = {"fill": fill, "speed": speed, "late": late}[given.role]
    async with RedisDelayQueue.open(given.redis, NAMESPACE, timeout_ms=TIMEOUT_MS) as queue:
        return await role(queue, given)


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(arguments(sys.argv[1:], ("fill", "speed", "late"))))))
