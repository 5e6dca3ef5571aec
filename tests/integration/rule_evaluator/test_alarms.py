"""Alarms on real servers: near ones are in Redis, all are in Postgres, and each rings."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hairspring.embedded.valkey import ValkeyServer
from hairspring.runtime.clock import now_ms
from redis.asyncio import Redis

from tests.integration.rule_evaluator.alarm_owner import AHEAD, QUEUE, SHARDS, profiles, running
from tests.support.waiting import eventually


async def held(redis: Redis) -> int:
    """Count the alarms in Redis, without the sentinel of each shard that was begun."""
    sizes = [int(await redis.zcard(f"{{{QUEUE}:{shard}}}:due")) for shard in range(SHARDS)]
    assert all(sizes)
    return sum(sizes) - SHARDS


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A plain client, to look and to break things."""
    async with Redis.from_url(redis_url) as client:
        yield client


async def test_far_off_alarms_wait_in_postgres(
    database_url: str, redis_url: str, redis: Redis
) -> None:
    """Only near alarms go into Redis; the others come when it is time, and none rings early."""
    async with running(database_url, redis_url) as owner:
        await eventually(lambda: _ready(redis))
        near, far = profiles("near", 20, 50, 300), profiles("far", 20, AHEAD + 300, AHEAD + 600)
        await owner.arm(near | far)
        assert await held(redis) <= 20
        [moved] = [key for key in far if key.profile == "far7"]
        await owner.arm({moved: now_ms() + 100})
        await eventually(lambda: len(owner.rung) == 40)
        late = [owner.rung[key.profile] - at for key, at in (near | far).items() if key != moved]
        assert min(late) >= 0
        assert owner.rung["far7"] < min(far.values())
        assert set(owner.times.values()) == {1}


async def test_lateness_counts_at_the_border(database_url: str, redis_url: str) -> None:
    """What is due before the horizon by Postgres, and after it by the time it may ring, rings."""
    async with running(database_url, redis_url, lateness=400) as owner:
        due = profiles("p", 40, AHEAD - 600, AHEAD + 200)
        await owner.arm(due)
        await eventually(lambda: len(owner.rung) == 40)
        assert min(owner.rung[key.profile] - at for key, at in due.items()) >= 400


async def test_redis_away_and_back(
    database_url: str, redis_url: str, valkey_server: ValkeyServer
) -> None:
    """While Redis is dead, due alarms are found in Postgres; when it is back, each rang once."""
    async with running(database_url, redis_url) as owner:
        await owner.arm(profiles("before", 20, 0, 100))
        await eventually(lambda: len(owner.rung) == 20)
        await valkey_server.kill()
        due = profiles("away", 20, 0, 200)
        await owner.arm(due)
        await eventually(lambda: len(owner.rung) == 40)
        await valkey_server.start()
        await owner.arm(profiles("after", 20, 0, 300))
        await eventually(lambda: len(owner.rung) == 60)
        assert {owner.times[key.profile] for key in due} == {1}


async def _ready(redis: Redis) -> bool:
    await held(redis)
    return True
