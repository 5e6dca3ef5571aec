"""A replica's presence: sessions that are lost, shards that are settled, effects in flight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hairspring.ownership.port import Fenced, ShardCountChanged, new_replica_id
from hairspring.ownership.postgres import install_shards

from tests.contract.ownership.opened import SCHEMA, OpenedShards, open_shards
from tests.support.waiting import eventually


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[OpenedShards]:
    """Sixteen shards in a database of their own."""
    async with open_shards(database_url) as shards:
        yield shards


async def test_the_number_of_shards_is_that_of_the_installation(opened: OpenedShards) -> None:
    """Installing again changes nothing; another number is refused with the right one."""
    await install_shards(opened.pool, SCHEMA, 16)
    with pytest.raises(ShardCountChanged, match="set HAIRSPRING_SHARDS to 16, not 32"):
        await install_shards(opened.pool, SCHEMA, 32)
    assert await opened.pool.fetchval("SELECT count(*) FROM trial.shards") == 16


async def test_a_replica_that_ends_leaves_nothing_behind(opened: OpenedShards) -> None:
    """Its shards are free and its row is gone; the next takes over at once."""
    async with opened.replica("one") as one:
        await one.acquire()
    assert await opened.pool.fetchval("SELECT count(*) FROM trial.replicas") == 0
    async with opened.replica("other") as other:
        assert len(await other.acquire()) == 16


async def test_a_lost_session_is_made_anew(opened: OpenedShards) -> None:
    """Whoever loses its session and finds its shards still its own goes on as before."""
    async with opened.replica("one", lease_ms=4_500) as one, opened.replica("other") as other:
        owned = await one.acquire()
        locks = (
            "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
            " WHERE l.locktype = 'advisory' AND a.application_name = 'replica-one'"
        )
        await opened.pool.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'replica-one'"
        )
        await eventually(lambda: opened.pool.fetchval(f"{locks} HAVING count(*) = 1"))
        await opened.effect(one, owned, 1)
        assert await other.acquire() == {}
        assert not one.lost.is_set()


async def test_a_lost_session_may_cost_the_shards(opened: OpenedShards) -> None:
    """Whoever loses its session and is taken over meanwhile hears of it by its renewal."""
    async with opened.replica("one", lease_ms=3_000) as one, opened.replica("other") as other:
        owned = await one.acquire()

        async def taken() -> bool:
            await opened.pool.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'replica-one'"
            )
            return len(await other.acquire()) == 16

        await eventually(taken)
        async with asyncio.timeout(10):
            await one.lost.wait()
        with pytest.raises(Fenced):
            await opened.effect(one, owned, 1)


async def test_a_take_over_waits_for_the_effect_in_flight(opened: OpenedShards) -> None:
    """An effect that began before is committed before, and the heir starts from its position."""
    async with opened.replica("one") as one, opened.replica("other") as other:
        owned = await one.acquire()
        async with opened.pool.acquire() as connection, connection.transaction():
            await one.fence(connection, owned, 33)
            await opened.pool.execute(
                "UPDATE trial.replicas SET lease_until = 1 WHERE replica_id = 'one'"
            )
            taking = asyncio.create_task(other.stand_by())
            await eventually(
                lambda: opened.pool.fetchval(
                    "SELECT count(*) > 0 FROM pg_stat_activity"
                    " WHERE wait_event_type = 'Lock' AND query LIKE '%shards_free%'"
                )
            )
            assert not taking.done()
        taken = await taking
        assert {(o.epoch, o.position) for o in taken.values()} == {(2, 33)}


async def test_effects_of_one_owner_on_common_shards_do_not_deadlock(opened: OpenedShards) -> None:
    """Loops of one process fence overlapping shards in any order, many at a time."""
    async with opened.replica("one") as one:
        owned = await one.acquire()
        shards = list(owned)

        async def work(offset: int) -> None:
            for turn in range(30):
                order = shards[offset:] + shards[:offset]
                await opened.effect(one, {s: owned[s] for s in order[: 9 + offset % 4]}, turn)

        await asyncio.gather(*(work(offset) for offset in range(8)))


async def test_a_fenced_effect_leaves_nothing(opened: OpenedShards) -> None:
    """What was written after a fence that fails is rolled back, its good shards included."""
    async with opened.replica("one") as one:
        owned = await one.acquire()
        await opened.pool.execute("UPDATE trial.shards SET epoch = 9 WHERE shard = 7")
        with pytest.raises(Fenced):
            await opened.effect(one, owned, 5)
        assert await opened.pool.fetchval("SELECT max(position) FROM trial.shards") == 0


def test_replica_ids_are_never_used_twice() -> None:
    """Two runs of one process have names of their own, short enough for Postgres."""
    assert new_replica_id() != new_replica_id()
    assert len(f"replica-{new_replica_id()}") <= 63
