"""The delay queue on a Redis Cluster of three masters keeps the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hairspring.embedded.valkey import ValkeyServer
from hairspring.timers.redis import RedisDelayQueue
from redis.asyncio import Redis

from tests.contract.timers.timer_contract import ManualClock, Subject, TimerContract
from tests.support.redis_cluster import redis_cluster

NAMESPACE = "hairspring:trial"


@pytest_asyncio.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[ValkeyServer]]:
    async with redis_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


class TestRedisCluster(TimerContract):
    @pytest.fixture
    async def empty(self, servers: list[ValkeyServer]) -> AsyncIterator[Subject]:
        """An empty queue on a cluster, reached by one of its nodes."""
        clock = ManualClock()
        url = f"redis+cluster://127.0.0.1:{servers[0].port}"

        async def lose() -> None:
            for server in servers:
                async with Redis.from_url(server.url) as redis:
                    await redis.flushall()

        await lose()
        async with RedisDelayQueue.open(url, NAMESPACE, clock=clock) as queue:
            yield Subject(queue=queue, clock=clock, lose=lose)


async def test_shards_lie_on_all_masters(servers: list[ValkeyServer]) -> None:
    """256 shards are spread over the cluster, each whole on one node."""
    url = f"redis+cluster://127.0.0.1:{servers[1].port}"
    async with RedisDelayQueue.open(url, NAMESPACE) as queue:
        for shard in range(256):
            await queue.begin(shard, epoch=1, generation="g")
    counts = []
    for server in servers:
        async with Redis.from_url(server.url) as redis:
            marks = [key async for key in redis.scan_iter(match="*:mark", count=1000)]
            counts.append(len(marks))
    assert sum(counts) == 256
    assert min(counts) > 256 / 6
