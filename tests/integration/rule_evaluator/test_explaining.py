"""Explanations on real servers: as of now, as known then, and by hindsight."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import grpc
import pytest
from hairspring.contracts.event.v1 import event_pb2, event_service_pb2
from hairspring.contracts.membership.v1 import membership_pb2, membership_service_pb2
from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.wire.times import from_ms, to_ms

from tests.support.cluster import Cluster, cluster, now, track
from tests.support.waiting import eventually

SEGMENTS = """
kind: Segment
name: keen
enter: {performed: {event: Viewed, times: ">= 3", within: 1h}}
---
kind: Segment
name: carts
enter:
  abandoned:
    event: Added
    by: properties.cart
    unless: {event: Bought, by: properties.cart}
    after: 1s
---
kind: Segment
name: big
enter:
  all:
    - aggregate: {event: Bought, of: properties.total, fn: sum, is: ">= 100"}
    - not: {segment: keen}
exit: {performed: {event: Viewed, within: 1s}}
cooldown: 1h
"""
WAVERS = """
kind: Segment
name: wavers
enter: {performed: {event: Waved, within: 1s}}
cooldown: 1h
---
kind: Segment
name: prompt
enter: {performed: {event: Waved}}
max_event_age: 1s
"""
CHANGED = """
kind: Segment
name: keen
enter: {performed: {event: [Viewed, Added], times: ">= 20", within: 2h}}
"""
WHOSE = [f"p{number}" for number in range(8)]


@pytest.fixture
async def running(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Cluster]:
    async with cluster(
        tmp_path, database_url, redis_url, services=("ingest", "rule_evaluator")
    ) as started:
        assert await started.apply(SEGMENTS) == []
        yield started


async def explain(
    running: Cluster, segment: str, profile: str, **moment: Any
) -> membership_service_pb2.ExplainMembershipResponse:
    """Ask for an explanation."""
    request = membership_service_pb2.ExplainMembershipRequest(
        segment=segment, profile_id=profile, **moment
    )
    return await running.memberships.ExplainMembership(request, timeout=20)


def leaves(parts: Iterable[membership_pb2.Explanation]) -> dict[str, list[int]]:
    """The positions of the events of each condition without parts, by its path."""
    found: dict[str, list[int]] = {}
    for part in parts:
        inner = leaves(part.parts) if part.parts else {}
        found.update(inner or {part.path: [event.position for event in part.events]})
    return found


def evidence(record: transition_pb2.Record) -> dict[str, list[int]]:
    """The positions of the events that a transition was stored with."""
    return {
        found.path: [event.position for event in found.events]
        for found in record.transition.evidence
    }


def shop(chance: random.Random, count: int) -> list[event_pb2.Event]:
    """What people do, some of it late."""
    made = []
    for _ in range(count):
        late = chance.choice((0, 0, 0, 0, 5, 300, 2_000))
        made.append(
            track(
                chance.choice(WHOSE),
                chance.choice(("Viewed", "Viewed", "Added", "Bought")),
                id=f"e{chance.random()}",
                at=now() - late,
                cart=chance.choice((1, 2, "x")),
                total=chance.choice((20, 60, 0.5)),
            )
        )
    return made


async def imported(running: Cluster, chance: random.Random) -> None:
    """History of the same people and of others, of the last minute."""
    events = shop(chance, 80)
    for event in events:
        event.occur_time.CopyFrom(from_ms(now() - chance.randrange(60_000)))
        event.profile_id = chance.choice((event.profile_id, f"old-{event.profile_id}"))
    await running.events.ImportEvents(
        event_service_pb2.ImportEventsRequest(import_id="history", events=events), timeout=20
    )
    await running.events.FinishImport(
        event_service_pb2.FinishImportRequest(import_id="history"), timeout=20
    )


async def test_every_transition_is_explained_by_its_own_evidence(running: Cluster) -> None:
    """Of a random shop with late events, an import and a changed definition, each transition is
    explained by exactly the events that it was stored with."""
    chance = random.Random(7)
    for _ in range(15):
        await running.track(*shop(chance, 10))
    await imported(running, chance)
    await running.track(*shop(chance, 30))
    await running.settled(WHOSE)
    assert await running.apply(CHANGED) == []
    for _ in range(10):
        await running.track(*shop(chance, 10))
    await running.settled(WHOSE)
    found = [r for r in await running.records() if r.WhichOneof("body") == "transition"]
    assert {r.transition.origin for r in found} == {1, 2, 3}
    last = {
        (r.profile_id, r.transition.segment, to_ms(r.transition.effective_time)): r for r in found
    }
    same = 0
    for (profile, segment, at), record in last.items():
        why = await explain(running, segment, profile, transition_position=record.position)
        told = leaves(why.conditions)
        assert {path: told[path] for path in evidence(record)} == evidence(record)
        assert to_ms(why.read_time) == at
        assert why.records[-1] == record
        at_its_time = await explain(running, segment, profile, read_time=from_ms(at))
        same += leaves(at_its_time.conditions) == told
    assert same == len(last)
    print(len(found), "transitions,", len(last), "moments")


async def test_what_came_later_is_known_by_hindsight_only(running: Cluster) -> None:
    """A late event is not known then; hindsight counts it, and the answer says what it lacks."""
    [first] = await running.track(track("ada", "Viewed", id="v1", page="/clocks"))
    [second] = await running.track(track("ada", "Viewed", id="v2"))
    then = second.accept_time.ToMilliseconds()
    await eventually(lambda: now() > then + 5)
    await running.track(
        track("ada", "Viewed", id="v3", at=first.accept_time.ToMilliseconds() - 1000)
    )
    await running.settled(["ada"])

    known = await explain(running, "keen", "ada", read_time=from_ms(then + 1))
    wiser = await explain(running, "keen", "ada", read_time=from_ms(then + 1), hindsight=True)

    [condition] = known.conditions
    assert (known.member, condition.holds) == (False, False)
    assert condition.detail == "2 of 3 Viewed, 1 more needed"
    assert [event.message_id for event in condition.events] == ["v1", "v2"]
    assert condition.events[0].properties_json == b'{"page": "/clocks"}'
    assert list(known.notes) == ["1 event of before that came later: counted by hindsight only"]
    assert [e.message_id for e in wiser.conditions[0].events] == ["v3", "v1", "v2"]
    assert wiser.conditions[0].holds


async def test_rises_that_wait_or_are_used_up_are_told(running: Cluster) -> None:
    """What was held and what was dropped is among the records, and what stands in the way said."""
    assert await running.apply(WAVERS) == []
    await running.track(track("bo", "Waved", id="w1", at=now() - 5_000))
    await running.track(track("bo", "Waved", id="w2"))
    await running.settled(["bo"])
    waiting = await explain(running, "wavers", "bo")
    used_up = await explain(running, "prompt", "bo")

    assert [record.WhichOneof("body") for record in waiting.records] == [
        "transition",
        "transition",
        "held",
    ]
    assert waiting.records[-1].held.reason == "cooldown"
    assert "cannot enter again for 59m" in waiting.remark
    assert [record.dropped.reason for record in used_up.records] == ["max_event_age"]
    assert (used_up.member, used_up.conditions[0].holds) == (False, True)


async def test_a_segment_that_was_not_there_yet(running: Cluster) -> None:
    """What was not known then is refused with a way out: today's definition, by hindsight."""
    [old] = await running.track(track("cy", "Waved", id="w1"))
    then = old.accept_time.ToMilliseconds() + 1
    await eventually(lambda: now() > then + 1)
    later = "kind: Segment\nname: wavers\nenter: {performed: {event: Waved}}\n"
    assert await running.apply(later) == []

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await explain(running, "wavers", "cy", read_time=from_ms(then))
    wiser = await explain(running, "wavers", "cy", read_time=from_ms(then), hindsight=True)

    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert "by hindsight" in str(refused.value.details())
    assert wiser.member
    assert "did not exist then" in wiser.notes[0]


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ({"read_time": from_ms(4_000_000_000_000)}, "has not come yet"),
        ({"transition_position": 99}, "there is no transition"),
        ({"hindsight": True}, "needs a read_time"),
        ({"hindsight": True, "transition_position": 1}, "not a transition_position"),
    ],
)
async def test_moments_that_cannot_be_explained(
    running: Cluster, moment: dict[str, Any], said: str
) -> None:
    """Each is refused with what is wrong."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await explain(running, "keen", "ada", **moment)
    assert said in str(refused.value.details())
