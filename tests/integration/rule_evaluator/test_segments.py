"""Segments over the wire, typed and as YAML: the same checks, versions, and no request twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hairspring.contracts.definition.v1 import definition_pb2, definition_service_pb2
from hairspring.contracts.segment.v1 import segment_service_pb2 as pb
from hairspring.contracts.segment.v1.segment_pb2 import Segment
from hairspring.contracts.segment.v1.segment_service_pb2_grpc import SegmentServiceStub
from hairspring.embedded.valkey import ValkeyServer
from hairspring.runtime.client import open_channel
from hairspring.wire.times import from_ms, to_ms

from tests.support import servers
from tests.support.cluster import TOKEN, Cluster, cluster
from tests.support.servers import TestPostgres

SEGMENT = definition_pb2.DEFINITION_KIND_SEGMENT


@pytest_asyncio.fixture(scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: TestPostgres,
    valkey_server: ValkeyServer,
) -> AsyncIterator[Cluster]:
    """Services for all tests here, each of which uses names of its own."""
    async with (
        postgres_server.fresh_database() as database_url,
        servers.empty_redis(valkey_server) as redis_url,
        cluster(
            tmp_path_factory.mktemp("segments"),
            database_url,
            redis_url,
            services=("ingest", "rule_evaluator"),
            shards="4",
        ) as made,
    ):
        yield made


@pytest_asyncio.fixture(scope="module")
async def segments(running: Cluster) -> AsyncIterator[SegmentServiceStub]:
    """The service under test."""
    async with open_channel(running.services["rule_evaluator"].address, TOKEN) as channel:
        yield SegmentServiceStub(channel)


def buyers(name: str, *, seconds: int = 3600, event: str = "Order Completed") -> Segment:
    """A segment of those who did something within a time."""
    segment = Segment(name=name, description="Bought.")
    segment.enter.performed.pattern.event_names.append(event)
    segment.enter.performed.within.seconds = seconds
    return segment


def refused(error: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> list[str]:
    """The fields of the BadRequest that came with an error."""
    status = rpc_status.from_call(error.value)
    assert status is not None
    found = error_details_pb2.BadRequest()
    assert [detail.Unpack(found) for detail in status.details].count(True) == 1
    return [violation.field for violation in found.field_violations]


async def test_a_segment_is_made_changed_and_removed(
    running: Cluster, segments: SegmentServiceStub
) -> None:
    """It is in force with the answer, reads back as message and as YAML, and every form is kept."""
    made = await segments.CreateSegment(pb.CreateSegmentRequest(segment=buyers("made")), timeout=30)
    assert not made.waiting_shards
    changed = await segments.UpdateSegment(
        pb.UpdateSegmentRequest(
            segment=buyers("made", seconds=7200), expected_version=made.segment.version
        ),
        timeout=30,
    )
    got = await segments.GetSegment(pb.GetSegmentRequest(name="made"))
    earlier = await segments.GetSegment(
        pb.GetSegmentRequest(name="made", plan_version=made.segment.version)
    )
    await segments.DeleteSegment(
        pb.DeleteSegmentRequest(name="made", expected_version=changed.segment.version), timeout=30
    )

    assert got.segment == changed.segment
    assert earlier.segment == made.segment
    assert got.segment.enter.performed.within.seconds == 7200
    assert "within: 2h" in got.segment.source
    with pytest.raises(grpc.aio.AioRpcError, match="it was removed by plan version") as gone:
        await segments.GetSegment(pb.GetSegmentRequest(name="made"))
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND
    versions = await running.definitions.ListDefinitionVersions(
        definition_service_pb2.ListDefinitionVersionsRequest(kind=SEGMENT, name="made")
    )
    assert [definition_pb2.ChangeType.Name(v.type)[12:] for v in versions.versions] == [
        "REMOVED",
        "CHANGED",
        "ADDED",
    ]
    assert versions.versions[2].source == made.segment.source


async def test_creating_again_with_equal_content_answers_what_stands(
    segments: SegmentServiceStub,
) -> None:
    """Equal content is no change; other content is ALREADY_EXISTS, and changes nothing."""
    first = await segments.CreateSegment(pb.CreateSegmentRequest(segment=buyers("twice")))

    again = await segments.CreateSegment(pb.CreateSegmentRequest(segment=buyers("twice")))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await segments.CreateSegment(pb.CreateSegmentRequest(segment=buyers("twice", seconds=1)))

    assert again == first
    assert error.value.code() is grpc.StatusCode.ALREADY_EXISTS
    standing = await segments.GetSegment(pb.GetSegmentRequest(name="twice"))
    assert standing.segment == first.segment


async def test_a_named_request_is_carried_out_once(segments: SegmentServiceStub) -> None:
    """Repeated at once, or after the segment has moved on, it answers what it brought."""
    request = pb.CreateSegmentRequest(segment=buyers("named"), request_id="once")
    answers = await asyncio.gather(*(segments.CreateSegment(request) for _ in range(5)))
    await segments.UpdateSegment(pb.UpdateSegmentRequest(segment=buyers("named", seconds=60)))

    late = await segments.CreateSegment(request)

    assert {answer.segment.version for answer in answers} == {late.segment.version}
    assert late.segment.enter.performed.within.seconds == 3600
    now = await segments.GetSegment(pb.GetSegmentRequest(name="named"))
    assert now.segment.enter.performed.within.seconds == 60
    other = pb.CreateSegmentRequest(segment=buyers("named-otherwise"), request_id="once")
    with pytest.raises(grpc.aio.AioRpcError, match="was one for another segment"):
        await segments.CreateSegment(other)


async def test_an_update_is_fenced_by_the_version(segments: SegmentServiceStub) -> None:
    """Of two who read the same version one changes it; the other is told; a repeat is answered."""
    made = await segments.CreateSegment(pb.CreateSegmentRequest(segment=buyers("fenced")))
    version = made.segment.version

    def update(seconds: int) -> pb.UpdateSegmentRequest:
        return pb.UpdateSegmentRequest(
            segment=buyers("fenced", seconds=seconds), expected_version=version
        )

    changed = await segments.UpdateSegment(update(10))
    with pytest.raises(grpc.aio.AioRpcError, match="read it and try again") as error:
        await segments.UpdateSegment(update(20))
    again = await segments.UpdateSegment(update(10))

    assert error.value.code() is grpc.StatusCode.ABORTED
    assert again.segment == changed.segment
    with pytest.raises(grpc.aio.AioRpcError) as removing:
        await segments.DeleteSegment(
            pb.DeleteSegmentRequest(name="fenced", expected_version=version)
        )
    assert removing.value.code() is grpc.StatusCode.ABORTED


async def test_what_is_wrong_is_told_by_field(
    running: Cluster, segments: SegmentServiceStub
) -> None:
    """Every problem at once, with the path that YAML has for it; nothing is applied."""
    bad = Segment(name="bad")
    conditions = bad.enter.all_of.conditions
    conditions.add().abandoned.after.nanos = 1
    conditions.add().in_segment.segment = "nobody-has-this"
    bad.stay.seconds = -1

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await segments.CreateSegment(pb.CreateSegmentRequest(segment=bad))

    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused(error) == [
        "enter.all[0].abandoned",
        "enter.all[0].abandoned",
        "enter.all[0].abandoned.after",
        "enter.all[1].segment",
        "stay",
    ]
    yaml = (
        "kind: Segment\nname: bad\nstay: -1s\nenter:\n  all:\n    - abandoned: {after: 0.1s}\n"
        "    - segment: nobody-has-this\n"
    )
    problems = await running.apply(yaml)
    assert {problem.field_path for problem in problems} == {*refused(error)}
    with pytest.raises(grpc.aio.AioRpcError, match="there is no segment bad"):
        await segments.GetSegment(pb.GetSegmentRequest(name="bad"))


async def test_very_many_problems_still_reach_the_caller(segments: SegmentServiceStub) -> None:
    """The answer is cut to what clients take, and says that there is more."""
    bad = Segment(name="many")
    for _ in range(400):
        bad.enter.any_of.conditions.add().performed.times.number = -1

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await segments.CreateSegment(pb.CreateSegmentRequest(segment=bad))

    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = refused(error)
    assert len(found) > 10
    assert found[-1] == ""


async def test_only_checking_changes_nothing(segments: SegmentServiceStub) -> None:
    """The answer shows the segment as it would be, and there is none."""
    answer = await segments.CreateSegment(
        pb.CreateSegmentRequest(segment=buyers("checked"), validate_only=True)
    )

    assert (answer.segment.name, answer.segment.version) == ("checked", 0)
    assert answer.segment.enter.performed.times.number == 1
    with pytest.raises(grpc.aio.AioRpcError):
        await segments.GetSegment(pb.GetSegmentRequest(name="checked"))


async def test_a_segment_in_use_is_not_removed(
    running: Cluster, segments: SegmentServiceStub
) -> None:
    """The answer names what uses it; what is not there is removed only if that is allowed."""
    await running.apply(
        "kind: Segment\nname: used\nenter: {performed: {event: A}}\n---\n"
        "kind: Segment\nname: using\nenter: {not: {segment: used}}\n---\n"
        "kind: Flow\nname: follows\ntrigger: {entered: used}\nsteps: [wait: 1s]\n"
    )

    with pytest.raises(grpc.aio.AioRpcError, match="used by segment using, flow follows") as error:
        await segments.DeleteSegment(pb.DeleteSegmentRequest(name="used"))
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await segments.DeleteSegment(pb.DeleteSegmentRequest(name="never-there"))
    await segments.DeleteSegment(pb.DeleteSegmentRequest(name="never-there", allow_missing=True))

    assert error.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND


async def test_segments_are_listed_by_pages(segments: SegmentServiceStub) -> None:
    """Every page goes on where the one before ended, by name, each segment once."""
    for number in range(5):
        await segments.CreateSegment(pb.CreateSegmentRequest(segment=buyers(f"page-{number}")))
    found, token = [], ""
    while True:
        page = await segments.ListSegments(pb.ListSegmentsRequest(page_size=2, page_token=token))
        assert len(page.segments) <= 2
        found += [segment.name for segment in page.segments]
        token = page.next_page_token
        if not token:
            break

    assert found == sorted(set(found))
    assert [name for name in found if name.startswith("page-")] == [f"page-{n}" for n in range(5)]


async def test_a_definition_is_read_back_as_it_was(running: Cluster) -> None:
    """By plan version and by time, with its comments; before it was there, the answer says so."""
    first = "# the first\nkind: Segment\nname: kept\nenter: {performed: {event: A}}\n"
    second = "kind: Segment\nname: kept  # the second\nenter: {performed: {event: B}}\n"
    for text in (first, second):
        assert await running.apply(text) == []
    Request = definition_service_pb2.GetDefinitionRequest
    listed = await running.definitions.ListDefinitionVersions(
        definition_service_pb2.ListDefinitionVersionsRequest(kind=SEGMENT, name="kept")
    )
    newer, older = listed.versions

    latest = await running.definitions.GetDefinition(Request(kind=SEGMENT, name="kept"))
    before = await running.definitions.GetDefinition(
        Request(kind=SEGMENT, name="kept", plan_version=older.version)
    )
    then = await running.definitions.GetDefinition(
        Request(kind=SEGMENT, name="kept", read_time=newer.apply_time)
    )

    assert (latest.definition.source, before.definition.source) == (second, first)
    assert then.definition == latest.definition
    with pytest.raises(grpc.aio.AioRpcError, match="there was no segment kept at plan version"):
        await running.definitions.GetDefinition(
            Request(kind=SEGMENT, name="kept", plan_version=older.version - 1)
        )
    with pytest.raises(grpc.aio.AioRpcError, match="there was no segment kept at 20"):
        await running.definitions.GetDefinition(
            Request(kind=SEGMENT, name="kept", read_time=from_ms(to_ms(older.apply_time) - 1))
        )
    with pytest.raises(grpc.aio.AioRpcError, match="there is no segment kep; did you mean kept"):
        await running.definitions.GetDefinition(Request(kind=SEGMENT, name="kep"))
    for wrong in (Request(name="kept"), Request(kind=SEGMENT, name="kept", plan_version=10**9)):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await running.definitions.GetDefinition(wrong)
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_versions_are_listed_by_pages(running: Cluster) -> None:
    """What happened at the last of a page is told by the form before it, which is on the next."""
    for event in "ABCA":
        await running.apply(
            f"kind: Segment\nname: paged\nenter: {{performed: {{event: {event}}}}}\n"
        )
    found, token = [], ""
    while True:
        page = await running.definitions.ListDefinitionVersions(
            definition_service_pb2.ListDefinitionVersionsRequest(
                kind=SEGMENT, name="paged", page_size=1, page_token=token
            )
        )
        found += list(page.versions)
        token = page.next_page_token
        if not token:
            break

    assert [version.type for version in found] == [
        *[definition_pb2.CHANGE_TYPE_CHANGED] * 3,
        definition_pb2.CHANGE_TYPE_ADDED,
    ]
    assert [version.version for version in found] == sorted(
        (version.version for version in found), reverse=True
    )


async def test_a_dry_run_shows_both_texts(running: Cluster) -> None:
    """What would change comes with the YAML that stands and the new one; nothing changes."""
    old = "kind: Segment\nname: dry\nenter: {performed: {event: A}}\n"
    new = "kind: Segment\nname: dry\nenter: {performed: {event: B}}\n"
    await running.apply(old)

    answer = await running.definitions.ApplyDefinitions(
        definition_service_pb2.ApplyDefinitionsRequest(
            manifests=[definition_pb2.Manifest(path="x", text=new)], dry_run=True
        )
    )

    [change] = [change for change in answer.changes if change.name == "dry"]
    assert (change.old_source, change.new_source) == (old, new)
    standing = await running.definitions.GetDefinition(
        definition_service_pb2.GetDefinitionRequest(kind=SEGMENT, name="dry")
    )
    assert standing.definition.source == old
