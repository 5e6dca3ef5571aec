"""Sends history in batches: several in flight, tried again while the service is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc
import grpc.aio

from hairspring.cli.calls import DEADLINE_SECONDS
from hairspring.contracts.event.v1 import event_pb2 as pb
from hairspring.contracts.event.v1 import event_service_pb2 as service_pb
from hairspring.contracts.event.v1.event_service_pb2_grpc import EventServiceStub

BATCH = 500
BATCH_BYTES = 4 * 1024 * 1024
_IN_FLIGHT = 4
_TRY_AGAIN_FOR_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 2.0
_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_MOST_IDS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An event to be sent, and the line that it was read from."""

    number: int
    text: bytes
    event: pb.Event


R = TypeVar("R")

Answered = Callable[[Line, service_pb.EventResult], None]


class ImportCalls:
    """Sends batches under an import's id; `answered` is told of each event, in any order.

    Sending is idempotent, so a batch is sent again after a passing error, for a minute at most.
    An id whose import has been finished takes no more: the next of its row is taken then.
    """

    def __init__(self, channel: grpc.aio.Channel, answered: Answered) -> None:
        self._stub = EventServiceStub(channel)
        self._base_id = self.import_id = ""
        self._number = 1
        self._answered = answered
        self._free = asyncio.Semaphore(_IN_FLIGHT)
        self._sending: set[asyncio.Task[None]] = set()

    def name(self, import_id: str) -> None:
        """Give the import its id; before the first batch."""
        self._base_id = self.import_id = import_id

    async def send(self, batch: Sequence[Line]) -> None:
        """Send a batch, as soon as fewer than four are in flight; raises what went wrong before."""
        await self._free.acquire()
        self._raise_failure()
        task = asyncio.create_task(self._deliver(list(batch)), name="import-batch")
        self._sending.add(task)
        task.add_done_callback(lambda _: self._free.release())

    async def finish(self, *, with_flows: bool) -> int:
        """Wait for all batches, then finish the import; returns its last position."""
        await asyncio.gather(*self._sending)
        request = service_pb.FinishImportRequest(import_id=self.import_id, with_flows=with_flows)
        answer = await _patiently(
            lambda: self._stub.FinishImport(request, timeout=DEADLINE_SECONDS)
        )
        return int(answer.position)

    async def abandon(self) -> None:
        """Stop sending, with no word on what is in flight."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _deliver(self, batch: list[Line]) -> None:
        answer = await self._import([line.event for line in batch])
        for line, result in zip(batch, answer.results, strict=True):
            self._answered(line, result)

    async def _import(self, events: list[pb.Event]) -> service_pb.ImportEventsResponse:
        while True:
            import_id = self.import_id
            request = service_pb.ImportEventsRequest(import_id=import_id, events=events)
            try:
                return await _patiently(
                    lambda request=request: self._stub.ImportEvents(  # type: ignore[misc]
                        request, timeout=DEADLINE_SECONDS
                    )
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.ABORTED or self._number > _MOST_IDS:
                    raise
            if self.import_id == import_id:  # else another batch has moved on meanwhile
                self._number += 1
                self.import_id = f"{self._base_id}-{self._number}"

    def _raise_failure(self) -> None:
        for task in [task for task in self._sending if task.done()]:
            self._sending.discard(task)
            task.result()


async def _patiently(call: Callable[[], Awaitable[R]]) -> R:
    """Make a call again while its service is away or has too much to do, for a minute."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + _TRY_AGAIN_FOR_SECONDS, 0.1
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() not in _PASSING or loop.time() > deadline:
                raise
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
