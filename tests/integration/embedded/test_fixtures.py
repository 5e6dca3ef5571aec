"""The fixtures that every other test builds on."""

from __future__ import annotations

import asyncpg
import pytest
from hairspring.embedded.valkey import ValkeyServer
from redis.asyncio import Redis

from tests.support.waiting import eventually


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_gets_an_empty_database(database_url: str, turn: int) -> None:
    """What one test leaves in its database, another does not see."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE left_behind (turn int)")
    await connection.close()


async def test_a_database_is_dropped_with_who_is_connected(database_url: str) -> None:
    """A connection that a test forgot does not keep its database from being dropped."""
    await asyncpg.connect(database_url)


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_gets_an_empty_redis(redis_url: str, turn: int) -> None:
    """What one test leaves in Redis, another does not see."""
    async with Redis.from_url(redis_url) as redis:
        assert await redis.dbsize() == 0
        await redis.set("left_behind", turn)


async def test_the_next_test_finds_valkey_running(valkey_server: ValkeyServer) -> None:
    """A test may kill the session's Valkey and leave it so."""
    await valkey_server.kill()


async def test_redis_is_there_after_that(redis_url: str) -> None:
    """A Redis that a test before has killed is started for the next one."""
    async with Redis.from_url(redis_url) as redis:
        assert await redis.ping()


async def test_eventually_returns_what_became_true() -> None:
    """Waiting goes on over falsy answers and exceptions, and returns the first truthy one."""
    answers = iter([0, ValueError("not yet"), 7])

    def check() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await eventually(check, every=0.001) == 7


async def test_eventually_fails_with_the_last_answer() -> None:
    """What never becomes so fails with the answer that was given last."""
    with pytest.raises(AssertionError, match="the last answer: 'almost no'"):
        await eventually(lambda: "" or _false("almost no"), timeout=0.05)


class _false(str):
    """A string that counts as false, to tell it from an empty one in a message."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False
