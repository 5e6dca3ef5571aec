"""Several evaluators on one database: even shares, hand-over, take-over, and none of it is seen.

The shares are read where they are kept, in Postgres.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from hairspring.definitions import Manifest, load
from hairspring.wire.times import iso

from tests.chaos import books
from tests.support.cluster import Cluster, Service, cluster, now, track
from tests.support.trading import batches
from tests.support.waiting import eventually

PROFILES = 60
LEASE_MS = 2_000
SEGMENTS = """
kind: Segment
name: cart-abandoners
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1s}
---
kind: Segment
name: hot
enter:
  performed: {event: Product Viewed, times: ">= 3", within: 2s}
stay: 1s
"""


class Shares:
    """Who owns how many shards, by the address that each replica has told."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def counts(self) -> dict[str, int]:
        """Count the shards by replica; those of nobody are under the empty name."""
        rows = await self._connection.fetch(
            "SELECT coalesce(replica_id, '') AS owner, count(*) AS shards"
            " FROM rule_evaluator.shards GROUP BY 1"
        )
        return {row["owner"]: row["shards"] for row in rows}

    async def even(self, replicas: int) -> bool:
        """Whether so many replicas own all shards, and their shares differ by at most one."""
        counts = await self.counts()
        shares = counts.values()
        return "" not in counts and len(counts) == replicas and max(shares) - min(shares) <= 1

    async def evenly(self, replicas: int) -> float:
        """Wait for that; answers how many seconds it took."""
        began = time.monotonic()
        await eventually(lambda: self.even(replicas), timeout=30)
        return time.monotonic() - began


@pytest.fixture
async def running(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Cluster]:
    """Ingest and one evaluator."""
    async with cluster(
        tmp_path,
        database_url,
        redis_url,
        services=("ingest", "rule_evaluator"),
        lease_ms=str(LEASE_MS),
    ) as started:
        assert await started.apply(SEGMENTS) == []
        yield started


@pytest.fixture
async def shares(running: Cluster, database_url: str) -> AsyncIterator[Shares]:
    """The shares in the database of `running`."""
    connection = await asyncpg.connect(database_url)
    yield Shares(connection)
    await connection.close()


@pytest.fixture
async def second(running: Cluster, shares: Shares) -> Service:
    """A second evaluator that has its share."""
    started = running.replica("rule_evaluator")
    await started.start()
    print("even after", await shares.evenly(2))
    return started


async def trade(running: Cluster, events: int, seed: int = 1) -> None:
    """Send a shop's events in small batches."""
    for batch in batches(seed, events=events, profiles=PROFILES, size=10):
        await running.track(*batch)
        await asyncio.sleep(0.02)


async def check(running: Cluster) -> None:
    """Once all deadlines are over, the transitions are those that the log makes, byte for byte."""
    until = now() + 4_500
    await asyncio.sleep(4.6)  # until no rule waits for anything any more
    await running.settled(f"shopper-{number}" for number in range(PROFILES))
    catalog = load([Manifest(path="test.yaml", text=SEGMENTS)])
    wanted = books.expected(await running.event_log(), catalog, until)
    assert len(wanted) > PROFILES / 4
    assert books.ordered(await running.changes(), iso(until)) == wanted


async def test_replicas_that_come_and_go_are_not_seen(running: Cluster, shares: Shares) -> None:
    """Amid the traffic two come and one goes; no transition is lost, doubled or at another time."""
    trading = asyncio.create_task(trade(running, 1_500))
    second, third = running.replica("rule_evaluator"), running.replica("rule_evaluator")
    await second.start()
    print("second: even after", await shares.evenly(2))
    await third.start()
    print("third: even after", await shares.evenly(3))
    stopping = asyncio.create_task(second.stop())
    print("second stopped: even after", await shares.evenly(2))
    assert await stopping == 0
    await trading
    await check(running)


async def test_one_that_ends_is_followed_at_once(
    running: Cluster, second: Service, shares: Shares
) -> None:
    """On SIGTERM the shards go over before the process has ended, and its row goes with them."""
    stopping = asyncio.create_task(second.stop())
    print("terminated: even after", await shares.evenly(1))
    assert await stopping == 0
    [result] = await running.track(track("anna", "Product Added", id="a1"))
    assert not result.problem
    await running.settled(f"profile-{number}" for number in range(50))


async def test_one_that_is_killed_is_followed(
    running: Cluster, second: Service, shares: Shares
) -> None:
    """Its lease has long to go, yet its shards go over, and nothing that was sent is lost."""
    trading = asyncio.create_task(trade(running, 400))
    await eventually(running.changes)
    await second.kill()
    print("killed: even after", await shares.evenly(1))
    await trading
    await check(running)


async def test_one_that_is_paused_writes_nothing_when_it_wakes(
    running: Cluster, second: Service, shares: Shares
) -> None:
    """After its lease the other has all; it wakes, hears that it has lost, and gets a new share."""
    trading = asyncio.create_task(trade(running, 400))
    await eventually(running.changes)
    second.pause()
    print("paused: even after", await shares.evenly(1))
    second.wake()
    await shares.evenly(2)
    await trading
    told = Counter(line["event"] for line in second.lines())
    assert told["ownership_lost"] + told["term_ended"] >= 1
    await check(running)
