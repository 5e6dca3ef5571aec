"""Take-over from real processes: killed, paused, and paused in the middle of an effect."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hairspring.ownership.port import Ownership

from tests.contract.ownership.opened import OpenedShards, open_shards
from tests.support.waiting import eventually

REPLICA = Path(__file__).with_name("replica.py")
LONG_MS, SHORT_MS = 600_000, 1_000
FREEING = (
    "SELECT count(*) > 0 FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND query LIKE '/* free shards */%'"
)


class Process:
    """A replica in another process, and what it tells."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self, what: str) -> dict[str, object]:
        """Wait until it tells this, and return it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            while line := await self._process.stdout.readline():
                if (told := json.loads(line)) and told.get("what") == what:
                    return told
        raise AssertionError(f"the replica ended without telling {what!r}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)


@asynccontextmanager
async def process(
    opened: OpenedShards, name: str, lease_ms: int, *more: str
) -> AsyncIterator[Process]:
    """Start a replica, and make sure that it is gone in the end."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        str(REPLICA),
        opened.url,
        name,
        str(lease_ms),
        *more,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(started)
    finally:
        with suppress(ProcessLookupError):
            started.kill()
        await started.communicate()


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[OpenedShards]:
    """Shards, and a table whose rows are the effects."""
    async with open_shards(database_url, name="tester") as shards:
        await shards.pool.execute("CREATE TABLE effects (position bigint PRIMARY KEY)")
        yield shards


async def check_effects(opened: OpenedShards, position: int) -> None:
    """The effects are those up to the position, each of them once."""
    rows = await opened.pool.fetch("SELECT position FROM effects ORDER BY position")
    assert [row["position"] for row in rows] == list(range(1, position + 1))


async def test_a_killed_replica_is_taken_over_at_once(opened: OpenedShards) -> None:
    """Its lease has ten minutes to go, yet its shards go over, at the position it committed."""
    async with process(opened, "victim", LONG_MS) as victim, opened.replica("heir") as heir:
        await victim.told("acquired")
        told = await victim.told("committed")
        assert await heir.acquire() == {}
        victim.send(signal.SIGKILL)
        async with asyncio.timeout(10):
            owned = await heir.stand_by()
        assert {shard.epoch for shard in owned.values()} == {2}
        (position,) = {shard.position for shard in owned.values()}
        assert position >= int(str(told["position"]))
        await check_effects(opened, position)


async def test_a_replica_killed_in_an_effect_leaves_nothing_of_it(opened: OpenedShards) -> None:
    """The transaction that was open is gone, and so is its lock."""
    async with process(opened, "victim", LONG_MS, "hold") as victim, opened.replica("heir") as heir:
        await victim.told("holding")
        victim.send(signal.SIGKILL)
        async with asyncio.timeout(10):
            owned = await heir.stand_by()
        assert {shard.position for shard in owned.values()} == {0}
        await check_effects(opened, 0)


async def test_a_paused_replica_is_taken_over_after_its_lease_and_then_fenced(
    opened: OpenedShards,
) -> None:
    """It keeps its connections, so its lease must run out; when it wakes it can do nothing."""
    async with (
        process(opened, "sleeper", SHORT_MS) as sleeper,
        opened.replica("heir") as heir,
    ):
        await sleeper.told("acquired")
        await sleeper.told("committed")
        sleeper.send(signal.SIGSTOP)
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(20):
            owned = await heir.stand_by()
        assert loop.time() - began > SHORT_MS / 1000 / 2
        (position,) = {shard.position for shard in owned.values()}
        await opened.effect(heir, owned, position + 100)
        sleeper.send(signal.SIGCONT)
        await sleeper.told("fenced")
        await check_effects(opened, position)


async def test_a_replica_paused_in_an_effect_loses_its_session(opened: OpenedShards) -> None:
    """It holds the very rows that the heir needs: the heir ends the session that blocks it."""
    async with (
        process(opened, "sleeper", SHORT_MS, "hold") as sleeper,
        opened.replica("heir") as heir,
    ):
        await sleeper.told("holding")
        sleeper.send(signal.SIGSTOP)
        async with asyncio.timeout(30):
            owned = await heir.stand_by()
        assert {(shard.epoch, shard.position) for shard in owned.values()} == {(2, 0)}
        await opened.effect(heir, owned, 1)
        await check_effects(opened, 0)


async def test_the_heir_goes_on_with_its_own_meanwhile(opened: OpenedShards) -> None:
    """While the rows of a paused one are held, effects on other shards are committed as ever."""
    async with opened.replica("heir") as heir:
        await heir.acquire()
        async with process(opened, "sleeper", SHORT_MS, "hold") as sleeper:
            await heir.unbalanced.wait()
            owned = await heir.acquire()
            assert len(owned) == 8
            await sleeper.told("holding")
            sleeper.send(signal.SIGSTOP)
            await eventually(lambda: opened.pool.fetchval(FREEING), timeout=30)
            assert not heir.unbalanced.is_set()
            await opened.effect(heir, owned, 1)
            async with asyncio.timeout(30):
                await heir.unbalanced.wait()
            assert len(await heir.acquire()) == 16


async def test_a_replica_that_lives_is_not_taken_over(opened: OpenedShards) -> None:
    """A short lease is renewed in time, over and over."""
    async with process(opened, "worker", SHORT_MS) as worker, opened.replica("heir") as heir:
        await worker.told("acquired")
        for _ in range(100):
            await worker.told("committed")
            assert await heir.acquire() == {}
        until = "SELECT lease_until FROM trial.replicas WHERE replica_id = 'worker'"
        first = await opened.pool.fetchval(until)
        while await opened.pool.fetchval(until) < first + 2 * SHORT_MS:
            assert await heir.acquire() == {}
            await worker.told("committed")


async def test_many_who_stand_by_share_what_a_dead_one_leaves(opened: OpenedShards) -> None:
    """Of several that wait for a dead one, each comes to its share, and no shard goes to two."""
    owned: dict[str, set[int]] = {}

    async def own(replica: Ownership) -> None:
        while True:
            owned[replica.replica_id] = set(await replica.stand_by())
            await replica.unbalanced.wait()

    async with (
        process(opened, "victim", LONG_MS) as victim,
        opened.replica("a") as first,
        opened.replica("b") as second,
        opened.replica("c") as third,
    ):
        await victim.told("committed")
        victim.send(signal.SIGKILL)
        owning = [asyncio.create_task(own(replica)) for replica in (first, second, third)]
        await eventually(lambda: sorted(len(shards) for shards in owned.values()) == [5, 5, 6])
        assert set().union(*owned.values()) == set(range(16))
        for task in owning:
            task.cancel()
        await asyncio.wait(owning)


async def test_acquiring_anew_waits_for_ones_own_effects(database_url: str) -> None:
    """A commit that is still under way, though its caller gave up on it, is not overlooked."""
    async with open_shards(database_url) as opened, opened.replica("one", LONG_MS) as one:
        owned = await one.acquire()
        async with opened.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await one.fence(connection, {3: owned[3]}, 70)
            again = asyncio.create_task(one.acquire())

            async def waits() -> bool:
                blocking = connection.get_server_pid()
                found = await opened.pool.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))",
                    blocking,
                )
                return bool(found)

            await eventually(waits)
            assert not again.done()
            await transaction.commit()
        found = await again
        assert (found[3].position, found[3].epoch) == (70, owned[3].epoch)
