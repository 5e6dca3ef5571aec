"""A slow shard, or one that is far behind, does not hold up the others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.log.shards import shard_of
from hairspring.ownership.port import Owned
from hairspring.services.rule_evaluator import lanes, term, work
from hairspring.services.rule_evaluator.lanes import divide
from hairspring.services.rule_evaluator.turns import Turns
from hairspring.services.rule_evaluator.work import Inbox, Turn

from tests.support.cluster import Cluster, track
from tests.support.waiting import eventually
from tests.support.within import SHARDS, within

SEGMENTS = """
kind: Segment
name: buyers
enter:
  performed: {event: Order Completed}
"""
SLOW = shard_of("default", "slow", SHARDS)
QUICK = next(
    name
    for name in (f"quick-{number}" for number in range(100))
    if shard_of("default", name, SHARDS) != SLOW
)


def test_shards_far_behind_are_apart() -> None:
    """Those within reach of the foremost are one lane, the others another."""
    owned = {
        shard: Owned(shard=shard, epoch=1, position=position, plan_version=1)
        for shard, position in enumerate((100, 51, 50, 0))
    }
    assert [set(group) for group in divide(owned, 50)] == [{0, 1}, {2, 3}]
    assert [set(group) for group in divide(owned, 101)] == [{0, 1, 2, 3}]


async def test_the_shard_that_crowds_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where no more is taken in, and where most that waits is of one shard."""
    monkeypatch.setattr(work, "MOST_RECORDS_WAITING", 10)
    inbox = Inbox(0)
    for position, shard in enumerate((1, 2, 1, 3, 1, 1, 2, 1, 1), 1):
        await inbox.put([event_pb2.EventRecord(position=position, shard=shard)], position)
    assert inbox.crowded_by() is None
    await inbox.put([event_pb2.EventRecord(position=10, shard=2)], 10)
    assert inbox.crowded_by() == 1


class _Sluice:
    """Holds up the turns with events of the slow shard: for a moment each, or until it is open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pause = 0.0
        self.open = asyncio.Event()
        self.open.set()
        do = Turns.do

        async def held_up(turns: Turns, turn: Turn) -> None:
            if any(record.shard == SLOW for record in turn.records):
                await asyncio.sleep(self.pause)
                await self.open.wait()
            await do(turns, turn)

        monkeypatch.setattr(Turns, "do", held_up)


async def _backlog(running: Cluster, count: int) -> None:
    """Events of one profile of the slow shard; the last one changes something."""
    events = [track("slow", "Product Viewed", id=f"s{number}") for number in range(count)]
    await running.track(*events, track("slow", "Order Completed", id="last"))


async def _told(running: Cluster) -> list[str]:
    """Who was told of, first first."""
    return [record.profile_id for record in await running.records()]


async def _quick_first(running: Cluster, sluice: _Sluice) -> None:
    """While the slow shard stands still, the others go on; then it does too."""
    await running.track(track(QUICK, "Order Completed", id="q1"))

    async def told(*profiles: str) -> bool:
        return await _told(running) == list(profiles)

    await eventually(lambda: told(QUICK), timeout=30)
    sluice.pause = 0.0
    sluice.open.set()
    await eventually(lambda: told(QUICK, "slow"), timeout=60)


async def test_a_shard_far_behind_is_read_beside_the_others(
    tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evaluator that begins with a backlog in one shard judges the others at once."""
    monkeypatch.setattr(lanes, "APART_POSITIONS", 50)
    async with within(tmp_path, database_url, redis_url) as running:
        assert await running.apply(SEGMENTS) == []
    async with within(tmp_path, database_url, redis_url, services=("ingest",)) as running:
        await _backlog(running, 100)
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "UPDATE rule_evaluator.shards SET position = (SELECT head FROM ingest.lane)"
        " WHERE shard <> $1",
        SLOW,
    )
    await connection.close()
    sluice = _Sluice(monkeypatch)
    sluice.open.clear()
    async with within(tmp_path, database_url, redis_url) as running:
        await _quick_first(running, sluice)


async def test_a_shard_that_crowds_gets_a_lane(
    tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one profile floods its shard, the others are soon judged beside it, exactly once."""
    monkeypatch.setattr(work, "MOST_RECORDS_WAITING", 100)
    monkeypatch.setattr(work, "MOST_RECORDS_A_TURN", 10)
    monkeypatch.setattr(term, "CROWD_SECONDS", 0.05)
    sluice = _Sluice(monkeypatch)
    sluice.pause = 0.02
    made: list[Any] = []
    divided = lanes.Lanes._divided

    def noted(self: Any, *args: Any) -> Any:
        sluice.open.clear()
        made.append(args)
        return divided(self, *args)

    monkeypatch.setattr(lanes.Lanes, "_divided", noted)
    async with within(tmp_path, database_url, redis_url) as running:
        assert await running.apply(SEGMENTS) == []
        await _backlog(running, 2_400)
        await eventually(lambda: made, timeout=60)
        await _quick_first(running, sluice)
        await running.settled(["slow", QUICK])
