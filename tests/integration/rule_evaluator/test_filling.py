"""A new or changed segment is complete at once: filled in silence, then put in force."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from hairspring.contracts.definition.v1 import definition_pb2, definition_service_pb2
from hairspring.contracts.membership.v1 import membership_service_pb2
from hairspring.contracts.transition.v1 import transition_pb2

from tests.support.cluster import Cluster, cluster, track
from tests.support.waiting import eventually

BUYERS = "kind: Segment\nname: buyers\nenter: {performed: {event: Order Completed}}\n"
VIEWERS = "kind: Segment\nname: viewers\nenter: {performed: {event: Product Viewed}}\n"
OTHERS = "kind: Segment\nname: others\nenter: {not: {segment: buyers}}\n"
TWICE = BUYERS.replace("Order Completed}", 'Order Completed, times: ">= 2"}')
MANY = 1_500


@pytest.fixture
async def running(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Cluster]:
    async with cluster(
        tmp_path, database_url, redis_url, services=("ingest", "rule_evaluator")
    ) as started:
        yield started


async def sizes(running: Cluster) -> dict[str, membership_service_pb2.SegmentCount]:
    answer = await running.memberships.CountMembers(
        membership_service_pb2.CountMembersRequest(), timeout=10
    )
    return {count.segment: count for count in answer.counts}


async def members(running: Cluster, segment: str) -> list[str]:
    answer = await running.memberships.ListMembers(
        membership_service_pb2.ListMembersRequest(segment=segment, page_size=10_000), timeout=10
    )
    return [member.profile_id for member in answer.members]


async def begin(running: Cluster, text: str) -> definition_service_pb2.ApplyDefinitionsResponse:
    """Apply without waiting."""
    return await running.definitions.ApplyDefinitions(
        definition_service_pb2.ApplyDefinitionsRequest(
            manifests=[definition_pb2.Manifest(path="a.yaml", text=text)], wait=Duration()
        ),
        timeout=30,
    )


async def filled(running: Cluster) -> bool:
    return all(
        count.status == membership_service_pb2.SEGMENT_STATUS_ACTIVE
        for count in (await sizes(running)).values()
    )


def told(changes: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(c["segment"], c["profile"], c["change"], c.get("origin", "live")) for c in changes]


async def test_a_changed_segment_tells_only_what_differs(running: Cluster) -> None:
    """Who stays keeps her entry; who refers to it is judged by the new form as it counts."""
    assert await running.apply(BUYERS + "---\n" + OTHERS) == []
    await running.track(*(track("ada", "Order Completed", id=f"a{n}") for n in range(2)))
    await running.track(track("bea", "Order Completed", id="b"), track("cleo", "Viewed", id="c"))
    await running.settled(["ada", "bea", "cleo"])
    before = await running.records()

    assert await running.apply(TWICE + "---\n" + OTHERS) == []
    after = await running.records(before[-1].position)
    changes = [(r.profile_id, r.transition.segment, r.transition.change) for r in after]
    assert sorted(changes) == [
        ("bea", "buyers", transition_pb2.CHANGE_LEFT),
        ("bea", "others", transition_pb2.CHANGE_ENTERED),
    ]
    assert {r.transition.origin for r in after} == {transition_pb2.ORIGIN_DEFINITION}
    assert not any(r.transition.sets_off_flows for r in after)
    assert await members(running, "buyers") == ["ada"]
    assert await members(running, "others") == ["bea", "cleo"]


async def test_flows_are_set_off_where_that_is_asked(running: Cluster) -> None:
    """Entering by a definition sets off flows only if the definition was applied so."""
    await running.track(track("ada", "Order Completed", id="a"))
    assert await running.apply(BUYERS, with_flows=True) == []
    [record] = await running.records()
    assert record.transition.origin == transition_pb2.ORIGIN_DEFINITION
    assert record.transition.sets_off_flows


async def test_nothing_is_seen_until_all_is_filled(running: Cluster) -> None:
    """It has no members while it is filled, cannot be explained, and then is complete."""
    names = [f"p{n:04}" for n in range(MANY)]
    for start in range(0, MANY, 500):
        part = names[start : start + 500]
        await running.track(*(track(name, "Order Completed", id=name) for name in part))
    await running.settled(names)
    answer = await begin(running, BUYERS)
    assert list(answer.filling_segments) == ["buyers"]
    count = (await sizes(running))["buyers"]
    assert count.status == membership_service_pb2.SEGMENT_STATUS_FILLING
    assert (count.members, count.version, count.filling_version) == (0, 0, answer.plan_version)
    assert await members(running, "buyers") == []
    with pytest.raises(grpc.aio.AioRpcError, match="being filled"):
        await running.memberships.ExplainMembership(
            membership_service_pb2.ExplainMembershipRequest(segment="buyers", profile_id=names[0])
        )

    await eventually(lambda: filled(running), timeout=60)
    assert await members(running, "buyers") == names
    count = (await sizes(running))["buyers"]
    assert (count.members, count.version) == (MANY, answer.plan_version)
    assert len(await running.changes()) == MANY


async def test_the_newest_form_wins(running: Cluster) -> None:
    """A form that is replaced or removed while it is filled never comes to anything."""
    await running.track(track("ada", "Order Completed", id="a"), track("ada", "Viewed", id="v"))
    await running.settled(["ada"])
    await begin(running, BUYERS)
    await begin(running, BUYERS + "---\n" + VIEWERS)
    await begin(running, TWICE)
    assert await running.apply(TWICE + "---\n" + OTHERS, prune=True) == []
    assert sorted(await sizes(running)) == ["buyers", "others"]
    assert await members(running, "buyers") == []
    assert await members(running, "others") == ["ada"]


async def test_the_old_form_goes_on_until_the_new_one_counts(running: Cluster) -> None:
    """Applied again as it was, it never stops; the form in between leaves no trace."""
    assert await running.apply(BUYERS) == []
    await running.track(track("ada", "Order Completed", id="a"))
    await running.settled(["ada"])
    for _ in range(3):
        await begin(running, TWICE)
        await begin(running, BUYERS)
    assert await running.apply(BUYERS) == []
    await running.track(track("bea", "Order Completed", id="b"))
    await running.settled(["bea"])
    assert await members(running, "buyers") == ["ada", "bea"]


async def test_what_goes_with_an_old_form_stays_as_long(running: Cluster) -> None:
    """A segment that only the old form refers to is removed together with that form."""
    assert await running.apply(BUYERS + "---\n" + OTHERS) == []
    await running.track(track("ada", "Viewed", id="a"))
    await running.settled(["ada"])
    viewed = OTHERS.replace("not: {segment: buyers}", "performed: {event: Viewed}")
    assert await running.apply(viewed, prune=True) == []
    assert list(await sizes(running)) == ["others"]
    assert told(await running.changes()) == [("others", "ada", "entered", "live")]
    assert await members(running, "others") == ["ada"]
