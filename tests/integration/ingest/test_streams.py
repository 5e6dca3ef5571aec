"""Events come in on a stream, and each request is answered in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import grpc
import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.event.v1 import event_service_pb2 as contract

from tests.integration.ingest.running import Ingest, event
from tests.support.waiting import eventually

ACCEPTED = contract.EVENT_STATUS_ACCEPTED
REPEATED = contract.EVENT_STATUS_REPEATED
REFUSED = contract.EVENT_STATUS_REFUSED
SECONDS = 60


def request(*events: event_pb2.Event) -> contract.StreamEventsRequest:
    """Make a request of a stream."""
    return contract.StreamEventsRequest(events=events)


def numbered(first: int, count: int, size: int) -> Iterator[contract.StreamEventsRequest]:
    """Make requests of so many events each, known by their numbers."""
    for begin in range(first, first + count * size, size):
        yield request(*(event(message_id=f"m{n}") for n in range(begin, begin + size)))


async def test_each_request_is_answered_in_its_turn(service: Ingest) -> None:
    """A refused event and a repeat harm no other; the log has them in the order they were sent."""
    requests = [
        request(event(message_id="a"), event("null", message_id="b"), event(message_id="c")),
        request(),
        request(event(message_id="a"), event(message_id="d")),
        *(request(event(message_id=f"e{number}")) for number in range(100)),
    ]
    call = service.events.StreamEvents(iter(requests), timeout=SECONDS)
    answers = [list(answer.results) async for answer in call]
    told = [[(result.message_id, result.status) for result in answer] for answer in answers]
    assert told[:3] == [
        [("a", ACCEPTED), ("b", REFUSED), ("c", ACCEPTED)],
        [],
        [("a", REPEATED), ("d", ACCEPTED)],
    ]
    assert told[3:] == [[(f"e{number}", ACCEPTED)] for number in range(100)]
    assert "nobody" in answers[0][1].problem
    positions = {record.event.message_id: record.position for record in await service.read()}
    assert list(positions) == ["a", "c", "d", *(f"e{number}" for number in range(100))]
    assert all(
        positions[result.message_id] == result.position
        for answer in answers
        for result in answer
        if result.status == ACCEPTED
    )


async def test_a_quiet_stream_is_answered_at_once(service: Ingest) -> None:
    """An answer does not wait for the next request, nor for the end."""
    call = service.events.StreamEvents(timeout=SECONDS)
    for number in range(3):
        await call.write(request(event(message_id=f"m{number}")))
        answer = await call.read()
        assert answer.results[0].message_id == f"m{number}"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK


@pytest.mark.parametrize(
    "bad",
    [
        contract.StreamEventsRequest(events=[event()] * 2_501),
        contract.StreamEventsRequest(workspace_id="No such", events=[event()]),
    ],
    ids=["too many", "no such workspace"],
)
async def test_a_request_that_can_never_be_taken_ends_the_stream(
    service: Ingest, bad: contract.StreamEventsRequest
) -> None:
    """After those before it were answered; those after it are not recorded."""
    requests = [request(event(message_id="a")), bad, request(event(message_id="b"))]
    call = service.events.StreamEvents(iter(requests), timeout=SECONDS)
    answer = await call.read()
    assert answer.results[0].status == ACCEPTED
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert [record.event.message_id for record in await service.read()] == ["a"]


async def test_who_does_not_read_is_held_up(service: Ingest) -> None:
    """Some megabytes are under way, the rest stays with the sender until the answers are read."""
    count, size = 150, 500
    call = service.events.StreamEvents(timeout=SECONDS)
    written = 0
    # Refused ones spare the database.
    names = [f"m{number}".ljust(250, "-") for number in range(size)]
    one = request(*(event("null", message_id=name) for name in names))

    async def write() -> None:
        nonlocal written
        for _ in range(count):
            await call.write(one)
            written += 1
        await call.done_writing()

    writing = asyncio.create_task(write())
    before = -1
    while written > before:  # Until nothing moves any more; too early makes nothing false.
        before = written
        await asyncio.sleep(0.3)
    assert written < count
    answers = [answer async for answer in call]
    await writing
    assert len(answers) == count
    assert all([result.message_id for result in one.results] == names for one in answers)


async def test_a_deadline_ends_the_stream_and_nothing_else(service: Ingest) -> None:
    """The sender is told, and a new stream is taken at once."""
    call = service.events.StreamEvents(timeout=1.5)
    await call.write(request(event(message_id="a")))
    assert (await call.read()).results[0].status == ACCEPTED
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    again = service.events.StreamEvents(iter([request(event(message_id="a"))]), timeout=SECONDS)
    assert [answer.results[0].status async for answer in again] == [REPEATED]


async def test_what_was_answered_counts_when_the_database_goes_away(
    service: Ingest, database_url: str
) -> None:
    """The stream ends UNAVAILABLE; the rest is sent again on a new one, and all is there once."""
    count, size = 400, 5
    answered: list[str] = []
    all_sent = asyncio.Event()

    async def requests(first: int) -> AsyncIterator[contract.StreamEventsRequest]:
        for one in numbered(first, count - first // size, size):
            yield one
            await asyncio.sleep(0.001)
        all_sent.set()

    async def stream() -> None:
        call = service.events.StreamEvents(requests(len(answered)), timeout=SECONDS)
        async for answer in call:
            answered.extend(result.message_id for result in answer.results)

    first = asyncio.create_task(stream())
    await eventually(lambda: len(answered) >= 50)
    await end_a_write(database_url, all_sent)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await first
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    kept = len(answered)
    assert kept < count * size
    ids = [record.event.message_id for record in await service.read()]
    assert set(answered) <= set(ids)
    await eventually(lambda: service.track(event(message_id="again")), timeout=SECONDS)
    await stream()
    assert answered[kept:] == [f"m{number}" for number in range(kept, count * size)]
    ids = [record.event.message_id for record in await service.read()]
    assert sorted(ids) == sorted(["again", *(f"m{number}" for number in range(count * size))])


async def end_a_write(database_url: str, all_sent: asyncio.Event) -> None:
    """End the connection of an append that is under way, once all requests have been sent.

    Until then it is held up, so that it is under way. A client that still writes when its stream
    ends may be told INTERNAL by its own library.
    """
    holding, ending = [await asyncpg.connect(database_url) for _ in range(2)]
    try:
        async with holding.transaction(), asyncio.timeout(SECONDS):
            await holding.execute("SELECT head FROM ingest.lane FOR UPDATE")
            await all_sent.wait()
            await eventually(lambda: ending.fetchval(_END_WAITING), timeout=SECONDS)
    finally:
        await asyncio.gather(holding.close(), ending.close())


_END_WAITING = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'hairspring-ingest-writer'
  AND wait_event_type = 'Lock'
"""
