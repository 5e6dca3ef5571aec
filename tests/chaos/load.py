"""The load generator: senders that send on and again until all they sent is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import grpc
from hairspring.contracts.event.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc

from tests.chaos import shop

CALL_SECONDS = 3.0
_PAUSE_SECONDS = 0.05
_PATIENCE_SECONDS = 120.0


class Load:
    """Some senders, each with profiles of its own, so that the order of each is the order sent."""

    def __init__(
        self,
        events: event_service_pb2_grpc.EventServiceStub,
        seed: int,
        profiles: list[str],
        *,
        senders: int = 4,
        size: int = 10,
        pace_seconds: float = 0.25,
        at_least: int = 0,
    ) -> None:
        self.acknowledged: set[str] = set()  #: The message ids that ingest has said are recorded.
        self.sent_again = 0  #: Calls without an acknowledgement, which were made again.
        self._events = events
        self._pace = pace_seconds
        self._fewest = at_least // senders
        self._stop = asyncio.Event()
        self._streams = [
            shop.batches(f"{seed}-{number}", profiles[number::senders], size)
            for number in range(senders)
        ]

    async def run(self) -> None:
        """Send until told to stop, and then until the last batch is acknowledged."""
        async with asyncio.TaskGroup() as tasks:
            for number, stream in enumerate(self._streams):
                tasks.create_task(self._send(stream), name=f"sender-{number}")

    def stop(self) -> None:
        """Begin nothing new, once at least as much was sent as was asked for."""
        self._stop.set()

    async def send(self, batch: list[event_pb2.Event]) -> None:
        """Send events until they are acknowledged; an `AssertionError` if one is refused."""
        request = event_service_pb2.BatchTrackEventsRequest(events=batch)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                try:
                    answer = await self._events.BatchTrackEvents(request, timeout=CALL_SECONDS)
                    break
                except grpc.aio.AioRpcError:
                    self.sent_again += 1
                await asyncio.sleep(_PAUSE_SECONDS)
        for result in answer.results:
            assert not result.problem, result.problem
            self.acknowledged.add(result.message_id)

    async def _send(self, stream: Iterator[list[event_pb2.Event]]) -> None:
        loop, sent = asyncio.get_running_loop(), 0
        for batch in stream:
            due = loop.time() + self._pace
            await self.send(batch)
            sent += len(batch)
            if self._stop.is_set() and sent >= self._fewest:
                return
            await asyncio.sleep(max(0.0, due - loop.time()))
