"""Replicas of the evaluator that come and go: how long events wait meanwhile.

Five hundred events a second come in, each of a profile of its own that enters a segment by it. So
each leaves a record, and what it waited is the time from its acceptance to that record.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from hairspring.embedded.postgres import postgres
from hairspring.embedded.valkey import valkey
from hairspring.wire.times import to_ms

from tests.benchmarks.figures import Figure, Size
from tests.support.cluster import Cluster, Service, cluster, now, track
from tests.support.waiting import eventually

SEGMENT = """
kind: Segment
name: buyers
enter: {performed: {event: Order Completed}}
"""
BATCH, PAUSE_SECONDS = 10, 0.02
CALM_SECONDS = 3.0
OWNERS = "SELECT shard, coalesce(s.replica_id, '') AS replica FROM rule_evaluator.shards AS s"
COMMAND = 'make bench ARGS="--only handover"'


def figures(size: Size, directory: Path, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure each way to come and to go, once a round."""
    rounds = [asyncio.run(_round(directory / f"round-{n}", say)) for n in range(size.rounds)]
    for name, (unit, goal, note) in _TOLD.items():
        values = tuple(one[name] for one in rounds)
        yield Figure(name=name, unit=unit, values=values, command=COMMAND, goal=goal, note=note)


_TOLD = {
    "nobody comes or goes: longest wait": ("ms", "", "of an event, from accepted to committed"),
    "one comes: until the shares are even": ("ms", "", "from when it says that it is ready"),
    "one comes: longest wait, shards that stay": ("ms", "", ""),
    "one comes: longest wait, shards that move": ("ms", "1,000", ""),
    "one is told to end: until the other has all": ("ms", "1,000", "from SIGTERM"),
    "one is told to end: longest wait, shards that stay": ("ms", "", ""),
    "one is told to end: longest wait, shards that move": ("ms", "1,000", ""),
    "one is killed: longest wait": ("ms", "10,000", ""),
    "one is paused: longest wait, shards that stay": ("ms", "", ""),
    "one is paused: longest wait, shards that move": ("ms", "10,000", "its lease is 6 s"),
}


class Trial:
    """Two replicas, the events that come in, and what is known of their shards."""

    def __init__(self, running: Cluster, connection: asyncpg.Connection) -> None:
        self.running = running
        self._connection = connection
        self._sent = 0

    async def trickle(self) -> None:
        """Send events until cancelled."""
        while True:
            names = [f"p{self._sent + n}" for n in range(BATCH)]
            self._sent += BATCH
            await self.running.track(*(track(name, "Order Completed") for name in names))
            await asyncio.sleep(PAUSE_SECONDS)

    async def owners(self) -> dict[int, str]:
        """The owner of each shard, empty for nobody."""
        return {row["shard"]: row["replica"] for row in await self._connection.fetch(OWNERS)}

    async def shared(self, replicas: int) -> dict[int, str]:
        """Wait until so many replicas have even shares; answers the owners then."""

        async def even() -> dict[int, str] | None:
            owners = await self.owners()
            found = list(owners.values())
            shares = [found.count(name) for name in set(found)]
            settled = "" not in found and len(shares) == replicas
            return owners if settled and max(shares) - min(shares) <= 1 else None

        found = await eventually(even, timeout=60, every=0.002)
        assert found is not None
        return found

    async def second(self) -> Service:
        """Start another replica, and wait until all is calm again."""
        started = self.running.replica("rule_evaluator")
        await started.start()
        await self.shared(2)
        await asyncio.sleep(CALM_SECONDS)
        return started

    async def longest(self, since: int, shards: Collection[int] | None = None) -> float:
        """The longest wait of the events accepted since, in ms; first waits until all is calm."""
        await asyncio.sleep(CALM_SECONDS)
        waits = [
            to_ms(record.record_time) - to_ms(record.transition.effective_time)
            for record in await self.running.records()
            if to_ms(record.transition.effective_time) >= since
            and (shards is None or record.shard in shards)
        ]
        return max(waits, default=0)


async def _round(directory: Path, say: Callable[[str], None]) -> dict[str, float]:
    async with _trial(directory) as trial:
        trickling = asyncio.create_task(trial.trickle())
        found: dict[str, float] = {}
        since = now()
        found["nobody comes or goes: longest wait"] = await trial.longest(since)
        say("one comes")
        second = await _comes(trial, found)
        say("one is told to end")
        await _is_told_to_end(trial, second, found)
        say("one is killed")
        second = await trial.second()
        since = now()
        await second.kill()
        await trial.shared(1)
        found["one is killed: longest wait"] = await trial.longest(since)
        say("one is paused")
        second = await trial.second()
        before, since = await trial.owners(), now()
        second.pause()
        stayed, moved = _moved(before, await trial.shared(1))
        for shards, name in ((stayed, "stay"), (moved, "move")):
            found[f"one is paused: longest wait, shards that {name}"] = await trial.longest(
                since - 100, shards
            )
        second.wake()
        trickling.cancel()
        return found


async def _comes(trial: Trial, found: dict[str, float]) -> Service:
    second = trial.running.replica("rule_evaluator")
    before, since = await trial.owners(), now()
    await second.start()
    ready = time.monotonic()
    after = await trial.shared(2)
    found["one comes: until the shares are even"] = (time.monotonic() - ready) * 1000
    stayed, moved = _moved(before, after)
    found["one comes: longest wait, shards that stay"] = await trial.longest(since, stayed)
    found["one comes: longest wait, shards that move"] = await trial.longest(since, moved)
    return second


async def _is_told_to_end(trial: Trial, second: Service, found: dict[str, float]) -> None:
    before, since, told = await trial.owners(), now(), time.monotonic()
    ending = asyncio.create_task(second.stop())
    after = await trial.shared(1)
    found["one is told to end: until the other has all"] = (time.monotonic() - told) * 1000
    await ending
    stayed, moved = _moved(before, after)
    found["one is told to end: longest wait, shards that stay"] = await trial.longest(since, stayed)
    found["one is told to end: longest wait, shards that move"] = await trial.longest(since, moved)


def _moved(before: dict[int, str], after: dict[int, str]) -> tuple[set[int], set[int]]:
    moved = {shard for shard, owner in after.items() if before[shard] != owner}
    return set(after) - moved, moved


@asynccontextmanager
async def _trial(directory: Path) -> AsyncIterator[Trial]:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    async with (
        postgres(directory / "postgres") as database,
        valkey(directory / "valkey") as redis,
        cluster(
            directory, database.url, redis.url, services=("ingest", "rule_evaluator")
        ) as running,
    ):
        problems = await running.apply(SEGMENT)
        assert not problems, problems
        connection = await asyncpg.connect(database.url)
        yield Trial(running, connection)
        await connection.close()
