"""The delay queue on Redis keeps the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hairspring.timers.redis import RedisDelayQueue
from redis.asyncio import Redis

from tests.contract.timers.timer_contract import ManualClock, Subject, TimerContract


class TestRedis(TimerContract):
    @pytest.fixture
    async def empty(self, redis_url: str) -> AsyncIterator[Subject]:
        """An empty queue on a server of its own."""
        clock = ManualClock()
        async with (
            Redis.from_url(redis_url) as redis,
            RedisDelayQueue.open(redis_url, "hairspring:trial", clock=clock) as queue,
        ):

            async def lose() -> None:
                await redis.flushdb()

            yield Subject(queue=queue, clock=clock, lose=lose)
