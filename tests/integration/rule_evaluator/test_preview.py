"""Previews on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hairspring.contracts.definition.v1 import definition_pb2, definition_service_pb2
from hairspring.contracts.event.v1 import event_pb2, event_service_pb2
from hairspring.contracts.preview.v1 import preview_pb2, preview_service_pb2
from hairspring.contracts.preview.v1.preview_service_pb2_grpc import PreviewServiceStub
from hairspring.runtime.client import open_channel

from tests.support.cluster import TOKEN, Cluster, cluster, now, track
from tests.support.waiting import eventually

DAY = 86_400_000
BUYERS = "kind: Segment\nname: buyers\nenter: {performed: {event: Bought}}\n"
RECENT = "kind: Segment\nname: buyers\nenter: {performed: {event: Bought, within: 2d}}\n"
KEEN = """\
kind: Segment
name: keen
enter: {all: [{performed: {event: Viewed}}, {not: {segment: buyers}}]}
"""


@pytest.fixture
async def running(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Cluster]:
    async with cluster(
        tmp_path, database_url, redis_url, services=("ingest", "rule_evaluator")
    ) as started:
        assert await started.apply(BUYERS) == []
        yield started


async def ask(running: Cluster, text: str, **fields: Any) -> list[Any]:
    """Ask for a preview, and give every answer."""
    request = preview_service_pb2.PreviewSegmentRequest(
        manifests=[definition_pb2.Manifest(path="new.yaml", text=text)], **fields
    )
    async with open_channel(running.services["rule_evaluator"].address, TOKEN) as channel:
        return [
            answer
            async for answer in PreviewServiceStub(channel).PreviewSegment(request, timeout=60)
        ]


def old(profile: str, name: str, days: int) -> event_pb2.Event:
    """Something that happened so many days ago."""
    return track(profile, name, id=f"{profile}-{name}-{days}", at=now() - days * DAY)


async def history(running: Cluster, import_id: str, *events: event_pb2.Event) -> None:
    """Import events."""
    await running.events.ImportEvents(
        event_service_pb2.ImportEventsRequest(import_id=import_id, events=events), timeout=20
    )
    await running.events.FinishImport(
        event_service_pb2.FinishImportRequest(import_id=import_id), timeout=20
    )


async def seen(running: Cluster, count: int) -> bool:
    """Whether so many profiles have been judged."""
    [first, *_] = await ask(running, KEEN)
    return bool(first.progress.all_profiles == count)


async def test_a_new_segment_is_previewed(running: Cluster) -> None:
    """How many would be in it, who, and when they would have entered and left; nothing changes."""
    events = [old(f"p{n}", "Viewed", n % 5 + 1) for n in range(300)]
    bought = [old("p0", "Bought", 0), old("p7", "Bought", 1)]
    await history(running, "first", *events, *bought)
    await running.events.ImportEvents(
        event_service_pb2.ImportEventsRequest(import_id="open", events=[old("p1", "Bought", 0)])
    )
    await eventually(lambda: seen(running, 300), timeout=20)

    *progress, last = await ask(running, KEEN, since={"seconds": 9 * DAY // 1000}, most_examples=3)

    found: preview_pb2.Preview = last.preview
    assert (found.segment, found.members, found.profiles) == ("keen", 298, 300)
    assert [member.profile_id for member in found.examples] == ["p1", "p10", "p100"]
    assert sum(day.entered for day in found.days) == 300
    assert sum(day.left for day in found.days) == 2
    assert not found.HasField("difference")
    counts = [answer.progress.profiles for answer in progress]
    assert counts == [0, 50, 100, 150, 200, 250, 300]
    listed = await running.definitions.ListDefinitions(
        definition_service_pb2.ListDefinitionsRequest(), timeout=10
    )
    assert [one.name for one in listed.definitions] == ["buyers"]


async def test_a_changed_segment_is_compared(running: Cluster) -> None:
    """Who would be gained and lost is told, by the same history."""
    await history(running, "first", old("ada", "Bought", 5), old("bo", "Bought", 1))
    await eventually(lambda: seen(running, 2), timeout=20)

    found = (await ask(running, RECENT))[-1].preview

    difference = found.difference
    assert (found.members, difference.members) == (1, 2)
    assert (difference.gained, difference.lost) == (0, 1)
    assert [member.profile_id for member in difference.lost_examples] == ["ada"]
    assert sum(day.left for day in found.days) == 1


async def test_what_is_wrong_is_told_before_anything_is_judged(running: Cluster) -> None:
    """Problems come with their places; a segment that is not clear, or not there, is asked for."""
    [answer] = await ask(running, KEEN.replace("buyers", "nobodies"))
    [problem] = answer.problems.problems
    assert problem.field_path == "enter.all[1].not.segment"
    for text, segment, said in (
        (KEEN + "---\n" + RECENT, "", "several segments would change (buyers, keen)"),
        (BUYERS, "", "no segment would be added or changed"),
        (BUYERS, "nobodies", "there is no segment 'nobodies'"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(running, text, segment=segment)
        assert said in str(refused.value.details())
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask(running, KEEN, since={"seconds": 401 * DAY // 1000})
    assert "at most 400 days" in str(refused.value.details())


async def test_one_at_a_time_and_gone_when_nobody_waits(running: Cluster) -> None:
    """While one is under way another is refused; a caller who leaves ends the work."""
    for first in range(0, 3_000, 500):
        some = range(first, first + 500)
        await running.track(*(track(f"p{n}", "Viewed", id=f"v{n}") for n in some))
    await running.settled(["p2999"])
    request = preview_service_pb2.PreviewSegmentRequest(
        manifests=[definition_pb2.Manifest(path="new.yaml", text=KEEN)]
    )
    async with open_channel(running.services["rule_evaluator"].address, TOKEN) as channel:
        call = PreviewServiceStub(channel).PreviewSegment(request, timeout=60)
        await call.read()
        await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(running, KEEN)
        workers = running.services["rule_evaluator"]
        assert len(await asyncio.to_thread(children, workers.pid)) == 1
        call.cancel()
        await eventually(lambda: children(workers.pid) == [], timeout=10)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await ask(running, KEEN))[-1].preview.members == 3_000


def children(pid: int) -> list[str]:
    """The processes that one has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += (task / "children").read_text().split()
    return found
