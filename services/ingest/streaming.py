"""Events on one stream: recorded in the order of the requests, and answered in that order.

While an append is under way, the requests that come gather and are the next one; so one stream has
one append at a time, which keeps the order, and the appends grow with the load. What is read of a
stream and not answered yet is bounded: beyond that nothing is read, and the transport holds the
sender up. So a stream may wait where too much waits to be written, and is not refused.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hairspring.contracts.event.v1 import event_pb2
from hairspring.runtime.errors import Exhausted
from hairspring.services.ingest.recording import Result

R = TypeVar("R")

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""How long a stream waits, in seconds, before it asks again whether there is room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request of a stream: its workspace, its events, and its size in bytes."""

    workspace: str
    events: Sequence[event_pb2.Event]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How much of a stream may be read and not answered, beyond one request: events and bytes."""

    events: int = 5_000
    bytes: int = 4 * 1024 * 1024


Record = Callable[[str, Sequence[event_pb2.Event]], Awaitable[list[Result]]]
"""Records events in a workspace, all or, by an error, none that counts. See Recording.record."""


async def answered(
    requests: AsyncIterator[R],
    read: Callable[[R], Asked],
    record: Record,
    window: Window | None = None,
) -> AsyncGenerator[Sequence[Result], None]:
    """Record what comes, and give the results of each request in its turn, until none comes.

    Raises what `read` or `record` raise, after everything before it was given.
    """
    hand = _InHand(window or Window())
    reading = asyncio.create_task(hand.read(requests, read), name="stream-events")
    try:
        while group := await hand.next():
            events = [event for asked in group for event in asked.events]
            results = await _recorded(record, group[0].workspace, events)
            begin = 0
            for asked in group:
                end = begin + len(asked.events)
                yield results[begin:end]
                hand.let_go(asked)
                begin = end
        await reading  # Raises what it met.
    finally:
        reading.cancel()
        await asyncio.wait({reading})
        if not reading.cancelled():
            reading.exception()  # It is known, or of no interest any more.


async def _recorded(
    record: Record, workspace: str, events: Sequence[event_pb2.Event]
) -> list[Result]:
    """Record, and try again after a while as long as there is too much of it."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await record(workspace, events)
        except Exhausted:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


class _InHand:
    """The requests that were read and are not answered."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._waiting: deque[Asked] = deque()
        self._events = self._bytes = 0
        self._ended = False
        self._some, self._room = asyncio.Event(), asyncio.Event()

    async def read(self, requests: AsyncIterator[R], read: Callable[[R], Asked]) -> None:
        """Read requests as long as there is room, until none comes or one cannot be taken."""
        try:
            async for request in requests:
                asked = read(request)
                self._waiting.append(asked)
                self._count(asked, 1)
                self._some.set()
                await self._until_room()
        finally:
            self._ended = True
            self._some.set()

    async def next(self) -> list[Asked]:
        """Wait for requests, and take those of one workspace that wait; none at the end of all."""
        while not self._waiting and not self._ended:
            self._some.clear()
            await self._some.wait()
        group: list[Asked] = []
        while self._waiting and (not group or self._waiting[0].workspace == group[0].workspace):
            group.append(self._waiting.popleft())
        return group

    def let_go(self, asked: Asked) -> None:
        """Make room: a request is answered."""
        self._count(asked, -1)
        self._room.set()

    async def _until_room(self) -> None:
        while self._events >= self._window.events or self._bytes >= self._window.bytes:
            self._room.clear()
            await self._room.wait()

    def _count(self, asked: Asked, sign: int) -> None:
        self._events += sign * max(len(asked.events), 1)
        self._bytes += sign * asked.size
