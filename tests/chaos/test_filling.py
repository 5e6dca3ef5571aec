"""An evaluator killed while segments are filled, or put in force, changes nothing."""

from __future__ import annotations

import asyncio
import os
import random
from functools import partial
from itertools import pairwise
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from hairspring.contracts.definition.v1 import definition_pb2, definition_service_pb2
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.membership.v1 import membership_service_pb2
from hairspring.definitions import Catalog, Manifest, load
from hairspring.engine.records import Change, Transition
from hairspring.engine.simulate import simulate_accepted
from hairspring.wire.times import iso

from tests.chaos import books
from tests.support.cluster import Cluster, cluster, now, track
from tests.support.waiting import eventually

FULL = os.environ.get("HAIRSPRING_CHAOS") == "full"
PROFILES, HISTORY, BATCH = (400, 1_600, 40) if FULL else (150, 600, 40)
CALM_MS = 2_500 if FULL else 1_300
ACTIVE = membership_service_pb2.SEGMENT_STATUS_ACTIVE

KEPT = """
kind: Segment
name: carts
enter: {abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1s}}
---
kind: Segment
name: keen
enter: {performed: {event: Product Viewed, times: ">= 3", within: 2s}}
---
"""
OLD = (
    KEPT
    + """
kind: Segment
name: fans
enter: {performed: {event: Product Viewed, times: ">= 2"}}
"""
)
NEW = (
    KEPT
    + """
kind: Segment
name: fans
enter: {performed: {event: Product Viewed, times: ">= 4"}}
---
kind: Segment
name: loyal
enter: {performed: {event: Order Completed, times: ">= 2"}}
---
kind: Segment
name: lost
enter: {abandoned: {event: Product Added, unless: {event: Product Viewed}, after: 1s}}
---
kind: Segment
name: strangers
enter: {all: [{not: {segment: loyal}}, {not: {segment: fans}}]}
"""
)
COMING = {"fans", "loyal", "lost", "strangers"}


async def test_filling_through_kills(tmp_path: Path, database_url: str, redis_url: str) -> None:
    """Killed amid the filling and around the second adoption, under live events."""
    services = ("ingest", "rule_evaluator")
    async with cluster(tmp_path, database_url, redis_url, services=services) as running:
        assert await running.apply(OLD) == []
        chance, number = random.Random(8), iter(range(1_000_000))

        async def act(count: int) -> None:
            for _ in range(count // BATCH):
                events = [_event(chance, next(number)) for _ in range(BATCH)]
                for result in await running.track(*events):
                    assert not result.problem

        async def live() -> None:
            while True:
                await act(BATCH)
                await asyncio.sleep(0.05)  # a shop, not a benchmark

        await act(HISTORY)
        await running.settled(_names())
        acting = asyncio.create_task(live(), name="shop")
        await _begin(running)
        evaluator = running.services["rule_evaluator"]
        for reached in (_nothing, _begun, _decided) if FULL else (_begun, _decided):
            await eventually(partial(reached, running), timeout=30)
            await evaluator.kill()
            await evaluator.start()
        await eventually(lambda: _active(running), timeout=60)
        acting.cancel()
        until = now() + CALM_MS
        await eventually(lambda: now() > until + 100, timeout=CALM_MS / 1000 + 5)
        await running.settled(_names())
        await _check(running, until)


async def _check(running: Cluster, until: int) -> None:
    log, changes = await running.event_log(), await running.changes()
    kept = load([Manifest(path="a.yaml", text=KEPT)])
    told = [change for change in changes if change["segment"] in kept.segments]
    assert books.ordered(told, iso(until)) == books.expected(log, kept, until)
    new = load([Manifest(path="a.yaml", text=NEW)])
    for segment, profiles in _expected(log, new, until).items():
        assert await _members(running, segment) == profiles, segment
    by_profile: dict[tuple[str, str], list[int]] = {}
    versions: dict[str, list[int]] = {}
    for record in await running.records():
        versions.setdefault(record.profile_id, []).append(record.plan_version)
        key = (record.profile_id, record.transition.segment)
        by_profile.setdefault(key, []).append(record.transition.change)
    assert all(one != other for told in by_profile.values() for one, other in pairwise(told))
    assert all(one <= other for told in versions.values() for one, other in pairwise(told))


def _expected(
    log: list[event_pb2.EventRecord], catalog: Catalog, until: int
) -> dict[str, list[str]]:
    """Who is in each segment in the end, had it always stood."""
    members: dict[str, set[str]] = {name: set() for name in COMING}
    for one in simulate_accepted(books.entries(log), catalog.plan(), until=until):
        if isinstance(one.record, Transition) and one.record.segment in members:
            profiles = members[one.record.segment]
            change = profiles.add if one.record.change is Change.ENTERED else profiles.discard
            change(one.profile)
    return {name: sorted(profiles) for name, profiles in members.items()}


async def _begin(running: Cluster) -> None:
    answer = await running.definitions.ApplyDefinitions(
        definition_service_pb2.ApplyDefinitionsRequest(
            manifests=[definition_pb2.Manifest(path="a.yaml", text=NEW)], wait=Duration()
        ),
        timeout=30,
    )
    assert set(answer.filling_segments) == COMING


async def _members(running: Cluster, segment: str) -> list[str]:
    answer = await running.memberships.ListMembers(
        membership_service_pb2.ListMembersRequest(segment=segment, page_size=10_000), timeout=10
    )
    return [member.profile_id for member in answer.members]


async def _least(running: Cluster) -> int:
    """How far the new segments are; over a hundred where they are in force."""
    answer = await running.memberships.CountMembers(
        membership_service_pb2.CountMembersRequest(), timeout=10, wait_for_ready=True
    )
    shares: list[int] = [
        count.filled_percent + (count.status == ACTIVE)
        for count in answer.counts
        if count.segment in COMING
    ]
    return min(shares)


async def _nothing(running: Cluster) -> bool:
    return True


async def _begun(running: Cluster) -> bool:
    return await _least(running) > 0


async def _decided(running: Cluster) -> bool:
    """All is filled, and the second adoption is at hand, under way or just done."""
    return any(
        line.get("event") == "segments_filled" and set(line["segments"]) == COMING
        for line in running.services["rule_evaluator"].lines()
    )


async def _active(running: Cluster) -> bool:
    return await _least(running) > 100


def _names() -> list[str]:
    return [f"p{number:03}" for number in range(PROFILES)]


def _event(chance: random.Random, number: int) -> event_pb2.Event:
    names = ("Product Viewed", "Product Added", "Order Completed")
    name = chance.choices(names, (5, 2, 1))[0]
    return track(f"p{chance.randrange(PROFILES):03}", name, id=f"m{number}")
