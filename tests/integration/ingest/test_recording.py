"""Events come in over gRPC and stand in the log."""

from __future__ import annotations

import asyncio
import json
import time

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hairspring.contracts.event.v1 import event_log_service_pb2 as log_contract
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.event.v1 import event_service_pb2 as contract
from hairspring.wire.times import LATEST_MS, from_ms, to_ms

from tests.integration.ingest.running import Ingest, event

ACCEPTED = contract.EVENT_STATUS_ACCEPTED
REPEATED = contract.EVENT_STATUS_REPEATED
REFUSED = contract.EVENT_STATUS_REFUSED


async def test_an_event_stands_in_the_log_as_it_was_sent(service: Ingest) -> None:
    """What was acknowledged is read back, with its position, its shard and when it was accepted."""
    sent = event(
        message_id="m1",
        occur_time=from_ms(1_000_123),
        properties_json=b'{"big": 9007199254740993}',
        context_json=b'{"page": "/"}',
    )
    answer = await service.events.TrackEvent(contract.TrackEventRequest(event=sent))
    [record] = await service.read()
    assert (answer.result.status, answer.result.position) == (ACCEPTED, 1)
    assert answer.result.accept_time == record.accept_time
    assert (record.position, record.workspace_id, record.profile_id) == (1, "default", "anna")
    assert 0 <= record.shard < 256
    assert record.event == event_pb2.RecordedEvent(
        message_id="m1",
        name="Product Viewed",
        type=event_pb2.EVENT_TYPE_TRACK,
        occur_time=from_ms(1_000_123),
        properties_json=b'{"big": 9007199254740993}',
        context_json=b'{"page": "/"}',
        too_old=True,
    )


async def test_what_lies_beyond_the_horizon_is_marked(service: Ingest) -> None:
    """A live event from more than 90 days ago is recorded and marked; imported history is not."""
    old = from_ms(int(time.time() * 1000) - 91 * 86_400_000)
    await service.track(event(message_id="old", occur_time=old), event(message_id="new"))
    imported = event(message_id="history", occur_time=old)
    await service.events.ImportEvents(
        contract.ImportEventsRequest(import_id="import", events=[imported])
    )
    marks = {record.event.message_id: record.event.too_old for record in await service.read()}
    assert marks == {"old": True, "new": False, "history": False}


async def test_tags_are_recorded(service: Ingest) -> None:
    """Attaching and taking off are two calls; a tag that is none is refused with its reason."""
    added = await service.events.AddTags(
        contract.AddTagsRequest(profile_id="anna", tags=["vip", "new"], message_id="t1")
    )
    again = await service.events.AddTags(
        contract.AddTagsRequest(profile_id="anna", tags=["vip"], message_id="t1")
    )
    removed = await service.events.RemoveTags(
        contract.RemoveTagsRequest(profile_id="anna", tags=["new"])
    )
    nothing = await service.events.AddTags(contract.AddTagsRequest(profile_id="anna"))
    blank = await service.events.RemoveTags(
        contract.RemoveTagsRequest(profile_id="anna", tags=[" "])
    )

    statuses = [answer.result.status for answer in (added, again, removed, nothing, blank)]
    assert statuses == [ACCEPTED, REPEATED, ACCEPTED, REFUSED, REFUSED]
    assert nothing.result.problem == "tags is a list of 1 to 100 texts"
    assert [
        (record.event.type, record.event.properties_json) for record in await service.read()
    ] == [
        (event_pb2.EVENT_TYPE_ADD_TAGS, b'{"tags":["vip","new"]}'),
        (event_pb2.EVENT_TYPE_REMOVE_TAGS, b'{"tags":["new"]}'),
    ]


async def test_each_event_of_a_batch_is_judged_on_its_own(service: Ingest) -> None:
    """A bad event is refused with its reason, and harms no other."""
    results = await service.track(
        event(message_id="a"),
        event(profile=""),
        event(profile="undefined"),
        event(profile="x\0y"),
        event(name=""),
        event(properties_json=b"[1]"),
        event(properties_json=b'{"a": "\\u0000 and a cut emoji \\ud83d"}', message_id="b"),
        event(message_id="m" * 256),
    )
    statuses = [result.status for result in results]
    assert statuses == [ACCEPTED, *[REFUSED] * 5, ACCEPTED, REFUSED]
    assert all(result.problem for result in results if result.status == REFUSED)
    records = await service.read()
    assert [record.event.message_id for record in records] == ["a", "b"]
    assert json.loads(records[1].event.properties_json) == {"a": "\0 and a cut emoji \ufffd"}


async def test_repeats_are_recorded_once(service: Ingest) -> None:
    """The same message id is a repeat: within a call, in a later one, and beside others."""
    first = await service.track(event(message_id="m"), event(message_id="m"))
    again = await service.track(event(message_id="m", name="Other"), event(message_id="n"))
    assert [result.status for result in first] == [ACCEPTED, REPEATED]
    assert [result.status for result in again] == [REPEATED, ACCEPTED]
    assert (again[0].position, again[0].HasField("accept_time")) == (0, False)
    assert [record.event.name for record in await service.read()] == ["Product Viewed"] * 2


async def test_an_event_without_an_id_gets_one(service: Ingest) -> None:
    """An id is made at the door, and told."""
    results = await service.track(event(), event())
    ids = [result.message_id for result in results]
    assert len(set(ids)) == 2
    assert ids == [record.event.message_id for record in await service.read()]


async def test_times_ahead_are_bounded_by_acceptance(service: Ingest) -> None:
    """The year 58000 and ten minutes ahead become the acceptance; the original is kept."""
    ahead = int(time.time() * 1000) + 600_000
    results = await service.track(
        event(occur_time=Timestamp(seconds=1_768_000_000_000)),
        event(occur_time=from_ms(ahead)),
        event(occur_time=from_ms(-5_000_000_000_000)),
        event(),
    )
    assert [result.status for result in results] == [ACCEPTED] * 4
    far, soon, past, none = await service.read()
    for record in (far, soon, none):
        assert record.event.occur_time == record.accept_time
    assert to_ms(far.event.original_time) == LATEST_MS
    assert to_ms(soon.event.original_time) == ahead
    assert to_ms(past.event.occur_time) == -5_000_000_000_000
    assert not past.event.HasField("original_time")
    assert not none.event.HasField("original_time")


async def test_traits_are_recorded_as_an_identify(service: Ingest) -> None:
    """IdentifyProfile records the traits; a Struct's whole numbers become integers."""
    traits = Struct()
    traits.update({"name": "Anna", "age": 41, "email": None})
    request = contract.IdentifyProfileRequest(profile_id="anna", traits=traits, message_id="i1")
    answer = await service.events.IdentifyProfile(request)
    [record] = await service.read()
    assert answer.result.status == ACCEPTED
    assert record.event.type == event_pb2.EVENT_TYPE_IDENTIFY
    assert record.event.properties_json == b'{"age":41,"email":null,"name":"Anna"}'


async def test_callers_at_the_same_time_share_appends(service: Ingest) -> None:
    """A thousand calls at once are committed in far fewer transactions, each told its own place."""
    answers = await asyncio.gather(
        *(
            service.events.TrackEvent(contract.TrackEventRequest(event=event(message_id=f"m{n}")))
            for n in range(1000)
        )
    )
    by_position = {answer.result.position: answer.result.message_id for answer in answers}
    records = await service.read()
    assert [record.position for record in records] == list(range(1, 1001))
    assert {record.position: record.event.message_id for record in records} == by_position
    assert len({(record.accept_time.seconds, record.accept_time.nanos) for record in records}) < 500


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (contract.BatchTrackEventsRequest(workspace_id="The other"), "cannot be a workspace"),
        (contract.BatchTrackEventsRequest(events=[event()] * 2501), "at most 2500"),
    ],
)
async def test_a_call_that_can_never_succeed_is_refused_whole(
    service: Ingest, request_: contract.BatchTrackEventsRequest, words: str
) -> None:
    """An unknown workspace and too many events are INVALID_ARGUMENT, with a sentence."""
    with pytest.raises(grpc.aio.AioRpcError, match=words) as caught:
        await service.events.BatchTrackEvents(request_)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert await service.read() == []


async def test_history_by_profile_is_paged_and_filtered(service: Ingest) -> None:
    """ListEvents gives the records of some profiles in log order, page by page, also by name."""
    await service.track(
        *(
            event(profile, name=name, message_id=f"{profile}{n}{name}")
            for n in range(5)
            for profile in ("anna", "ben", "cleo")
            for name in ("Viewed", "Bought")
        )
    )
    whole = log_contract.ListEventsRequest(profile_ids=["ben", "anna"])
    records = (await service.log.ListEvents(whole)).records
    assert len(records) == 20
    assert [r.position for r in records] == sorted(r.position for r in records)
    request = log_contract.ListEventsRequest(
        profile_ids=["ben", "anna"], names=["Bought"], page_size=3
    )
    paged = []
    while True:
        answer = await service.log.ListEvents(request)
        paged += answer.records
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert paged == [record for record in records if record.event.name == "Bought"]
    cut = log_contract.ListEventsRequest(
        profile_ids=["anna"], after_position=records[1].position, through_position=20
    )
    assert all(
        records[1].position < record.position <= 20
        for record in (await service.log.ListEvents(cut)).records
    )


async def test_single_events_are_read_by_position(service: Ingest) -> None:
    """GetEvents answers what is there, and leaves out what is not."""
    await service.track(*(event(message_id=f"m{n}") for n in range(5)))
    answer = await service.log.GetEvents(log_contract.GetEventsRequest(positions=[4, 2, 2, 99]))
    assert [record.event.message_id for record in answer.records] == ["m1", "m3"]


async def test_a_tail_gives_what_is_there_and_what_comes(service: Ingest) -> None:
    """A subscriber of some shards gets their records alone, each once, and hears how far it is."""
    await service.track(*(event(f"p{n}", message_id=f"a{n}") for n in range(50)))
    shards = sorted({record.shard for record in await service.read()})[::2]
    stream = service.log.TailEvents(
        log_contract.TailEventsRequest(
            shards=[log_contract.ShardPosition(shard=shard) for shard in shards], max_batch_size=7
        )
    )
    more = asyncio.create_task(
        service.track(*(event(f"p{n}", message_id=f"b{n}") for n in range(50)))
    )
    got: list[event_pb2.EventRecord] = []
    through = 0
    while through < 100:
        answer = await asyncio.wait_for(stream.read(), 10)
        got += answer.records
        through = answer.through_position
    await more
    stream.cancel()
    expected = [record for record in await service.read() if record.shard in shards]
    assert got == expected


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (log_contract.TailEventsRequest(after_position=5), grpc.StatusCode.OUT_OF_RANGE),
        (log_contract.TailEventsRequest(max_batch_size=5001), grpc.StatusCode.INVALID_ARGUMENT),
        (
            log_contract.TailEventsRequest(shards=[log_contract.ShardPosition(shard=256)]),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ],
)
async def test_a_tail_that_cannot_begin_says_why(
    service: Ingest, request_: log_contract.TailEventsRequest, code: grpc.StatusCode
) -> None:
    """A position ahead of the log, a batch too large and an unknown shard are told as such."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.log.TailEvents(request_).read()
    assert caught.value.code() == code


async def test_a_barrier_divides_the_log(service: Ingest) -> None:
    """What is accepted after a barrier is accepted later than the barrier's time."""
    await service.track(event(message_id="before"))
    asked = int(time.time() * 1000) + 30
    answer = await service.log.ReachBarrier(
        log_contract.ReachBarrierRequest(through_time=from_ms(asked))
    )
    await service.track(event(message_id="after"))
    before, after = await service.read()
    assert answer.position == before.position
    assert to_ms(answer.through_time) >= asked
    assert to_ms(after.accept_time) > to_ms(answer.through_time)


async def test_a_barrier_waits_no_longer_than_asked(service: Ingest) -> None:
    """However far ahead the caller's clock is, the answer is a barrier of now."""
    asked = int(time.time() * 1000) + 3_600_000
    request = log_contract.ReachBarrierRequest(through_time=from_ms(asked))
    request.longest_wait.FromMilliseconds(20)
    await service.track(event(message_id="before"))
    answer = await service.log.ReachBarrier(request)
    [before] = await service.read()
    assert answer.position == before.position
    assert to_ms(before.accept_time) < to_ms(answer.through_time) < asked


@pytest.mark.parametrize("wait_ms", [-1, 10_001])
async def test_a_wait_out_of_bounds_is_refused(service: Ingest, wait_ms: int) -> None:
    """Less than nothing and more than ten seconds are INVALID_ARGUMENT."""
    request = log_contract.ReachBarrierRequest(through_time=from_ms(1))
    request.longest_wait.FromMilliseconds(wait_ms)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.log.ReachBarrier(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_barrier_too_far_ahead_is_refused(service: Ingest) -> None:
    """More than ten seconds ahead is INVALID_ARGUMENT."""
    request = log_contract.ReachBarrierRequest(
        through_time=from_ms(int(time.time() * 1000) + 60_000)
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.log.ReachBarrier(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
