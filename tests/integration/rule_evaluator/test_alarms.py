"""Alarms on real servers: near ones are in Redis, all are in Postgres, and each rings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from hairspring.database.migrations import migrate
from hairspring.database.notices import Notices
from hairspring.database.pool import open_pool
from hairspring.embedded.valkey import ValkeyServer
from hairspring.engine.state import ProfileState
from hairspring.log import postgres as log_postgres
from hairspring.log.postgres import PostgresLog
from hairspring.ownership import postgres as ownership_postgres
from hairspring.ownership.port import Owned
from hairspring.ownership.postgres import PostgresOwnership, install_shards
from hairspring.runtime.clock import now_ms
from hairspring.services.rule_evaluator.alarms import Alarms
from hairspring.store import postgres as store_postgres
from hairspring.store.encoding import encode
from hairspring.store.port import Effects, Key, Saved, SegmentStore
from hairspring.store.postgres import PostgresStore
from hairspring.timers.redis import RedisDelayQueue
from redis.asyncio import Redis

from tests.support.waiting import eventually

SHARDS = 4
AHEAD = 1_200
QUEUE = "hairspring:trial"


class Owner:
    """Commits due times and notes which profiles were looked at, as the evaluation would."""

    def __init__(self, store: SegmentStore, owned: dict[int, Owned], alarms: Alarms) -> None:
        self.owned = owned
        self.rung: dict[str, int] = {}
        self.times: dict[str, int] = {}
        self._store = store
        self._alarms = alarms

    async def look(self, keys: Sequence[Key], *, through: int, rung: bool = False) -> None:
        assert rung
        for key in keys:
            self.rung.setdefault(key.profile, now_ms())
            self.times[key.profile] = self.times.get(key.profile, 0) + 1
        await self.commit(dict.fromkeys(keys))

    async def commit(self, due: dict[Key, int | None]) -> None:
        """Write due times; whoever rang has none."""
        states = [Saved(key, encode(ProfileState()), at) for key, at in due.items()]
        await self._store.commit(Effects(owned=self.owned, position=1, states=states))

    async def arm(self, due: dict[Key, int]) -> None:
        """Write due times, then tell Redis."""
        await self.commit({**due})
        await self._alarms.arm(due)


def profiles(prefix: str, count: int, first: int, last: int) -> dict[Key, int]:
    """Due times from `first` to `last` ms from now."""
    now = now_ms()
    return {
        Key(i % SHARDS, "default", f"{prefix}{i}"): now + first + i * (last - first) // count
        for i in range(count)
    }


@asynccontextmanager
async def running(database_url: str, redis_url: str, lateness: int = 0) -> AsyncIterator[Owner]:
    """Alarms at work on tables of their own."""
    name = "alarms"
    async with (
        open_pool(database_url, name=name) as pool,
        Notices.open(database_url, name=name) as notices,
        RedisDelayQueue.open(redis_url, QUEUE, timeout_ms=500) as queue,
    ):
        sources = (log_postgres, ownership_postgres, store_postgres)
        await migrate(pool, name, *(source.MIGRATIONS for source in sources))
        await install_shards(pool, name, SHARDS)
        async with PostgresOwnership.open(database_url, pool, notices, name, name) as ownership:
            store = PostgresStore(pool, name, ownership, PostgresLog(pool, notices, name))
            alarms = Alarms(queue, store, now_ms, lateness, ahead_ms=AHEAD)
            owner = Owner(store, await ownership.acquire(), alarms)
            ringing = asyncio.create_task(alarms.run(owner), name="alarms-under-test")
            try:
                yield owner
            finally:
                ringing.cancel()
                with suppress(asyncio.CancelledError):
                    await ringing


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
