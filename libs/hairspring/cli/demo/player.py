"""Plays the planned actions in real time: each is sent when its moment comes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence

import grpc
import grpc.aio
import orjson

from hairspring.cli.demo.shop import Action
from hairspring.contracts.event.v1 import event_pb2 as pb
from hairspring.contracts.event.v1 import event_service_pb2 as service_pb
from hairspring.contracts.event.v1.event_service_pb2_grpc import EventServiceStub
from hairspring.wire.times import to_ms

_AT_ONCE = 64
_DEADLINE_SECONDS = 5.0
_PAUSE_SECONDS = 0.2

Accepted = Callable[[str, int], None]
"""Is told the message id of an event that was accepted, and when (milliseconds, UTC)."""


class Player:
    """Sends actions as events; what fails because a service is away is sent again."""

    def __init__(self, channel: grpc.aio.Channel, accepted: Accepted) -> None:
        self._stub = EventServiceStub(channel)
        self._accepted = accepted
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._run = uuid.uuid4().hex[:8]

    async def play(self, actions: Sequence[Action]) -> None:
        """Send each action at its time from now, and wait for the last acknowledgement."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as sending:
            for number, action in enumerate(actions):
                await asyncio.sleep(max(0.0, began + action.at - loop.time()))
                await self._free.acquire()
                task = sending.create_task(self._send(number, action), name="demo-event")
                task.add_done_callback(lambda _: self._free.release())

    async def _send(self, number: int, action: Action) -> None:
        request = service_pb.BatchTrackEventsRequest(events=[self._event(number, action)])
        while True:
            try:
                answer = await self._stub.BatchTrackEvents(request, timeout=_DEADLINE_SECONDS)
                break
            except grpc.aio.AioRpcError:
                await asyncio.sleep(_PAUSE_SECONDS)
        result = answer.results[0]
        if result.status == service_pb.EVENT_STATUS_ACCEPTED:
            self._accepted(result.message_id, to_ms(result.accept_time))

    def _event(self, number: int, action: Action) -> pb.Event:
        event = pb.Event(message_id=f"demo-{self._run}-{number}", profile_id=action.shopper.profile)
        if action.event:
            event.name = action.event
            event.properties_json = orjson.dumps(action.properties)
        else:
            event.type = pb.EVENT_TYPE_IDENTIFY
            traits = {"name": action.shopper.name, "email": action.shopper.email}
            event.properties_json = orjson.dumps(traits)
        return event
