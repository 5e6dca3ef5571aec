"""What is read of a stream, when, and how it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.runtime.errors import Exhausted, InvalidInput, Unavailable
from hairspring.services.ingest.recording import Result, Status
from hairspring.services.ingest.streaming import Asked, Window, answered

from tests.support.waiting import eventually


class Sender:
    """Sends requests of one event each, and knows how many were read."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.read = 0

    async def requests(self) -> AsyncIterator[int]:
        """The requests, each a number."""
        for number in range(self._count):
            self.read += 1
            yield number
            await asyncio.sleep(0)


def asked(number: int) -> Asked:
    """One event that bears the number, of ten bytes; odd hundreds are another workspace's."""
    event = event_pb2.Event(message_id=str(number))
    return Asked(workspace=str(number // 100 % 2), events=[event], size=10)


class Recorder:
    """Records when it is let, and remembers what it was given at once."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.groups: list[list[str]] = []

    async def record(self, workspace: str, events: Sequence[event_pb2.Event]) -> list[Result]:
        """Answer that all is accepted."""
        self.groups.append([event.message_id for event in events])
        await self.let.wait()
        return [Result(status=Status.ACCEPTED, message_id=event.message_id) for event in events]


async def test_what_comes_meanwhile_is_recorded_together_and_in_order() -> None:
    """One append at a time, the first alone, the rest as they gather; each request its answer."""
    recorder = Recorder()
    answers = answered(Sender(50).requests(), asked, recorder.record)
    first = asyncio.ensure_future(anext(answers))
    await eventually(lambda: len(recorder.groups) == 1)
    await asyncio.sleep(0)
    recorder.let.set()
    found = [await first, *[one async for one in answers]]
    assert [[result.message_id for result in one] for one in found] == [[str(n)] for n in range(50)]
    assert [message for group in recorder.groups for message in group] == list(map(str, range(50)))
    assert len(recorder.groups) < 50


@pytest.mark.parametrize("window", [Window(events=10), Window(bytes=100)])
async def test_who_does_not_read_answers_is_not_read_from(window: Window) -> None:
    """At most what the window holds is in hand; it moves on as answers are taken."""
    sender, recorder = Sender(1_000), Recorder()
    recorder.let.set()
    answers = answered(sender.requests(), asked, recorder.record, window)
    for taken in range(1, 30):
        await anext(answers)
        for _ in range(100):
            await asyncio.sleep(0)
        assert sender.read <= taken + 10
    await answers.aclose()
    assert sender.read < 1_000


async def test_a_group_is_of_one_workspace() -> None:
    """Requests of another begin the next one."""
    recorder = Recorder()
    recorder.let.set()
    found = [one async for one in answered(Sender(250).requests(), asked, recorder.record)]
    assert len(found) == 250
    assert all(len({int(number) // 100 for number in group}) == 1 for group in recorder.groups)


async def test_what_came_before_a_bad_request_is_answered() -> None:
    """Then it is told."""

    def read(number: int) -> Asked:
        if number == 3:
            raise InvalidInput("it can never be taken")
        return asked(number)

    recorder = Recorder()
    recorder.let.set()
    answers = answered(Sender(9).requests(), read, recorder.record)
    assert [(await anext(answers))[0].message_id for _ in range(3)] == ["0", "1", "2"]
    with pytest.raises(InvalidInput):
        await anext(answers)


async def test_where_too_much_waits_a_stream_waits_too() -> None:
    """It is recorded once there is room, and the sender hears nothing of it."""
    tried = 0

    async def record(workspace: str, events: Sequence[event_pb2.Event]) -> list[Result]:
        nonlocal tried
        tried += 1
        if tried < 3:
            raise Exhausted("too much waits")
        return [Result(status=Status.ACCEPTED, message_id=event.message_id) for event in events]

    found = [one async for one in answered(Sender(5).requests(), asked, record)]
    assert [result.message_id for one in found for result in one] == ["0", "1", "2", "3", "4"]


async def test_an_outage_ends_the_stream() -> None:
    """And nothing more is read of it."""

    async def record(workspace: str, events: Sequence[event_pb2.Event]) -> list[Result]:
        raise Unavailable("away")

    sender = Sender(1_000_000)
    answers = answered(sender.requests(), asked, record)
    with pytest.raises(Unavailable):
        await anext(answers)
    read = sender.read
    await asyncio.sleep(0)
    assert sender.read == read
