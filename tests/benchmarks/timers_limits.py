"""A delay queue by hand, as the limit: one sorted set, plain commands, and no promise kept.

Who takes a timer out and dies has lost it, nobody is fenced, and nothing notices a loss.

    python -m tests.benchmarks.timers_limits speed --redis URL --server 4711 --count 100000
    python -m tests.benchmarks.timers_limits late --redis URL --server 4711 --rate 2000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Any

import uvloop
from redis.asyncio import Redis

from tests.benchmarks.timers_load import (
    BATCH,
    HOUR_MS,
    LEAD_MS,
    Stopwatch,
    arguments,
    lateness,
    now_ms,
)

KEY = "plain"


async def speed(redis: Redis, given: argparse.Namespace) -> dict[str, Any]:
    """Schedules, cancels and takes out, with many members a command; and schedules singly."""
    members = [f"default/plain-{number:08}" for number in range(given.count)]
    parts = [members[at : at + BATCH] for at in range(0, len(members), BATCH)]
    later, earlier = now_ms() + HOUR_MS, now_ms() - HOUR_MS
    found: dict[str, Any] = {}
    watch = Stopwatch(given.server)
    for part in parts:
        pipe = redis.pipeline(transaction=False)
        for number, member in enumerate(part):
            pipe.zadd(KEY, {member: later + number})
        await pipe.execute()
    found["single"] = watch.stop(given.count)
    await redis.delete(KEY)
    watch = Stopwatch(given.server)
    for part in parts:
        await redis.zadd(KEY, {member: later + number for number, member in enumerate(part)})
    found["schedule"] = watch.stop(given.count)
    watch = Stopwatch(given.server)
    for part in parts:
        await redis.zrem(KEY, *part)
    found["cancel"] = watch.stop(given.count)
    for part in parts:
        await redis.zadd(KEY, {member: earlier + number for number, member in enumerate(part)})
    watch, taken = Stopwatch(given.server), 0
    while out := await redis.zpopmin(KEY, BATCH):
        taken += len(out)
    found["claim"] = watch.stop(taken)
    return found


async def late(redis: Redis, given: argparse.Namespace) -> dict[str, float]:
    """Takes out what is due, and sleeps until the next."""
    count = int(given.rate * given.seconds)
    first = now_ms() + LEAD_MS + count // 100
    step = given.seconds * 1000 / count
    dues = {f"default/plain-{number:08}": first + int(number * step) for number in range(count)}
    items = [*dues.items()]
    for at in range(0, count, BATCH):
        await redis.zadd(KEY, dict(items[at : at + BATCH]))
    watch, found = Stopwatch(given.server), list[float]()
    while len(found) < count:
        out = await redis.zrange(KEY, "-inf", str(now_ms()), byscore=True, offset=0, num=BATCH)
        if out:
            now = time.time_ns() / 1e6
            found += [now - dues[member.decode()] for member in out]
            await redis.zrem(KEY, *out)
        elif head := await redis.zrange(KEY, 0, 0, withscores=True):
            await asyncio.sleep(max(0.0, head[0][1] - time.time_ns() / 1e6) / 1000)
    return lateness(found, watch.stop(count))


async def bare(redis: Redis, given: argparse.Namespace) -> dict[str, float]:
    """Only sleeps, a millisecond at a time: how late this machine is by itself."""
    until, found = time.perf_counter() + given.seconds, list[float]()
    watch, began = Stopwatch(given.server), time.perf_counter()
    while began < until:
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        found.append((now - began) * 1000 - 1)
        began = now
    return lateness(found, watch.stop(len(found)))


async def _run(given: argparse.Namespace) -> dict[str, Any]:
    role = {"speed": speed, "late": late, "bare": bare}[given.role]
    async with Redis.from_url(given.redis) as redis:
        return await role(redis, given)


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(arguments(sys.argv[1:], ("speed", "late", "bare"))))))
