"""The rule evaluator on real servers, behind a real ingest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hairspring.contracts.membership.v1 import membership_service_pb2
from hairspring.contracts.transition.v1 import transition_service_pb2
from hairspring.wire.times import iso

from tests.support.cluster import Cluster, cluster, now, track
from tests.support.waiting import eventually

YEAR_58000 = 1_768_169_000_000_000
SEGMENTS = """
kind: Segment
name: cart-abandoners
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1s}
---
kind: Segment
name: buyers
enter:
  performed: {event: Order Completed}
"""


@pytest.fixture
async def running(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Cluster]:
    async with cluster(
        tmp_path, database_url, redis_url, services=("ingest", "rule_evaluator")
    ) as started:
        assert await started.apply(SEGMENTS) == []
        yield started


async def test_absence_is_told_to_the_millisecond(running: Cluster) -> None:
    """A cart that is left alone is abandoned exactly when its time is over."""
    [result] = await running.track(track("anna", "Product Added", id="a1"))
    added = result.accept_time.ToMilliseconds()

    async def entered() -> bool:
        return bool(await running.changes())

    await eventually(entered, timeout=5)
    [record] = await running.records()
    assert record.transition.effective_time.ToMilliseconds() == added + 1000
    assert record.record_time.ToMilliseconds() - (added + 1000) < 1000
    assert record.transition.cause.time.ToMilliseconds() == added + 1000


async def test_a_purchase_in_time_keeps_her_out(running: Cluster) -> None:
    """Whoever buys before the deadline never enters."""
    await running.track(track("bea", "Product Added", id="b1"))
    await running.track(track("bea", "Order Completed", id="b2"))
    await asyncio.sleep(1.2)  # the deadline has to pass for the test to mean anything
    await running.settled(["bea"])
    assert [(c["segment"], c["change"]) for c in await running.changes()] == [("buyers", "entered")]


@pytest.mark.parametrize("at", [YEAR_58000, None], ids=["year 58000", "ten minutes ahead"])
async def test_a_time_ahead_does_no_harm(running: Cluster, at: int | None) -> None:
    """An event dated ahead happened when it was accepted, and its profile is judged as any other.

    She abandons that cart a second after it was accepted, buys, and abandons the next one too.
    """
    at = now() + 600_000 if at is None else at
    [ahead] = await running.track(track("anna", "Product Added", at=at, id="a1"))
    await eventually(lambda: entries(running, 1), timeout=5)
    await running.track(track("anna", "Order Completed", id="a2"))
    [added] = await running.track(track("anna", "Product Added", id="a3"))
    await eventually(lambda: entries(running, 2), timeout=5)
    moments = [
        change["effective_at"]
        for change in await running.changes()
        if (change["segment"], change["change"]) == ("cart-abandoners", "entered")
    ]
    accepted = [result.accept_time.ToMilliseconds() for result in (ahead, added)]
    assert moments == [iso(moment + 1000) for moment in accepted]


async def entries(running: Cluster, count: int) -> bool:
    """Whether so many have entered cart-abandoners."""
    changes = [(c["segment"], c["change"]) for c in await running.changes()]
    return changes.count(("cart-abandoners", "entered")) == count


async def test_a_single_event_is_seen_at_once(running: Cluster) -> None:
    """A subscriber of the log gets each transition by itself; how soon is printed."""
    spans = []
    request = transition_service_pb2.TailRecordsRequest(after_position=-1)
    stream = running.transitions.TailRecords(request, timeout=30)
    await stream.read()
    for number in range(20):
        sent = now()
        await running.track(track(f"quick-{number}", "Order Completed", id=f"q{number}"))
        while True:
            answer = await stream.read()
            if any(record.profile_id == f"quick-{number}" for record in answer.records):
                break
        spans.append(now() - sent)
    stream.cancel()
    print("event to subscriber, ms:", sorted(spans))


async def test_check_waits_for_what_was_accepted(running: Cluster) -> None:
    """An answer about a membership counts every event that was acknowledged before."""
    for number in range(20):
        name = f"buyer-{number}"
        await running.track(track(name, "Order Completed", id=f"c{number}"))
        answer = await running.memberships.CheckMemberships(
            membership_service_pb2.CheckMembershipsRequest(
                questions=[
                    membership_service_pb2.MembershipQuestion(profile_id=name, segment="buyers")
                ]
            ),
            timeout=10,
        )
        assert answer.answers[0].member


async def test_check_waits_for_an_ingest_that_comes_back(running: Cluster) -> None:
    """A question that is asked while ingest is started again is answered once it is there."""
    await running.track(track("dora", "Order Completed", id="e1"))
    await running.services["ingest"].kill()
    question = membership_service_pb2.MembershipQuestion(profile_id="dora", segment="buyers")
    asking = running.memberships.CheckMemberships(
        membership_service_pb2.CheckMembershipsRequest(questions=[question]), timeout=30
    )
    await running.services["ingest"].start()
    assert (await asking).answers[0].member


async def test_members_are_listed_and_explained(running: Cluster) -> None:
    """Members can be listed and counted, and each membership has its reasons."""
    await running.track(track("cleo", "Order Completed", id="d1"))
    await running.settled(["cleo"])
    listed = await running.memberships.ListMembers(
        membership_service_pb2.ListMembersRequest(segment="buyers")
    )
    assert [member.profile_id for member in listed.members] == ["cleo"]
    counts = await running.memberships.CountMembers(membership_service_pb2.CountMembersRequest())
    assert {c.segment: c.members for c in counts.counts} == {"buyers": 1, "cart-abandoners": 0}
    why = await running.memberships.ExplainMembership(
        membership_service_pb2.ExplainMembershipRequest(segment="buyers", profile_id="cleo")
    )
    assert why.member
    assert [event.message_id for event in why.conditions[0].events] == ["d1"]
