"""The load of the delay queue does what its figures say."""

from __future__ import annotations

from hairspring.embedded.valkey import ValkeyServer
from hairspring.timers.redis import RedisDelayQueue
from redis.asyncio import Redis

from tests.benchmarks import timers_limits, timers_load

ROLES = ("fill", "speed", "late", "bare")


async def test_every_role_runs(valkey_server: ValkeyServer, redis_url: str) -> None:
    """What is filled in stays, what is put in after it is taken out, and all of it is counted."""
    told = ("--redis", redis_url, "--server", str(valkey_server.pid), "--count", "300")
    over = ("--rate", "1000", "--seconds", "0.1")
    given = timers_load.arguments(["fill", *told, *over], ROLES)

    async with (
        RedisDelayQueue.open(redis_url, timers_load.NAMESPACE) as queue,
        Redis.from_url(redis_url) as redis,
    ):
        assert (await timers_load.fill(queue, given))["bytes"] > 0
        speed = await timers_load.speed(queue, given)
        late = await timers_load.late(queue, given)
        assert await queue.pending(range(timers_load.SHARDS)) == 300

        by_hand = await timers_limits.speed(redis, given)
        assert by_hand.keys() == {*speed, "single"}
        assert all(one["rate"] > 0 for one in by_hand.values())
        for found in (late, await timers_limits.late(redis, given)):
            assert 0 <= found["p50"] <= found["p99"] <= found["most"]
        assert (await timers_limits.bare(redis, given))["rate"] > 0
