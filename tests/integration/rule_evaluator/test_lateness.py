"""A workspace that allows lateness, and one that looks back less far."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hairspring.definitions import Manifest, load
from hairspring.engine.records import Transition
from hairspring.engine.simulate import simulate_accepted
from hairspring.wire.times import iso

from tests.chaos import books
from tests.support.cluster import cluster, now, track
from tests.support.waiting import eventually

SEGMENT = """
kind: Segment
name: lost-carts
enter: {abandoned: {event: Add, unless: {event: Buy}, after: 1s}}
"""
DAY = 86_400_000
LATENESS = 20_000  # longer than a barrier may lie ahead


async def test_a_moment_waits_for_what_is_on_its_way(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """A purchase that comes late, but within what is allowed, keeps her out; no call fails."""
    async with cluster(
        tmp_path,
        database_url,
        redis_url,
        services=("ingest", "rule_evaluator"),
        lateness_ms=str(LATENESS),
    ) as running:
        assert await running.apply(SEGMENT) == []
        at = now()
        late, just_over = at - LATENESS + 5_000, at - LATENESS - 500
        await running.track(
            track("ada", "Add", at=at - 4_000, id="a1"),
            track("ben", "Add", at=late, id="b1"),
            track("cleo", "Add", at=just_over, id="c1"),
        )
        await asyncio.sleep(1.2)  # ada's and ben's deadlines are to pass while nothing comes
        await running.track(
            track("ada", "Buy", at=at - 3_500, id="a2"), track("ben", "Buy", at=late + 400, id="b2")
        )
        await running.settled(["ada", "ben", "cleo"])

        async def entered() -> bool:
            return [change["profile"] for change in await running.changes()] == ["cleo"]

        await eventually(entered, timeout=10)
        [change] = await running.changes()
        assert change["effective_at"] == iso(just_over + 1_000)


async def test_what_lies_beyond_the_horizon_is_judged_by_nothing(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """With two days, what happened three days ago changes nothing, as in the simulation."""
    definitions = SEGMENT.replace("lost-carts", "seen").replace(
        "{abandoned: {event: Add, unless: {event: Buy}, after: 1s}}", "{performed: {event: Add}}"
    )
    async with cluster(
        tmp_path, database_url, redis_url, services=("ingest", "rule_evaluator"), horizon_days="2"
    ) as running:
        assert await running.apply(definitions) == []
        await running.track(
            track("ada", "Add", at=now() - 3 * DAY, id="a1"),
            track("ben", "Add", at=now() - DAY, id="b1"),
        )
        await running.settled(["ada", "ben"])
        log = await running.event_log()
        plan = load([Manifest(path="a.yaml", text=definitions)]).plan()
        told = simulate_accepted(books.entries(log), plan, horizon=2 * DAY)

        assert [record.event.too_old for record in log] == [True, False]
        assert [one.profile for one in told if isinstance(one.record, Transition)] == ["ben"]
        assert [change["profile"] for change in await running.changes()] == ["ben"]
