"""A seeded shop: what people do and when, and senders that try until they are acknowledged."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
from hairspring.contracts.event.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc

from tests.simulation.channel import Channel

NAMES, WEIGHTS = ("Viewed", "Added", "Bought", "Rated"), (4, 3, 2, 1)
CALL_SECONDS = 1.0
ACCEPTED = event_service_pb2.EVENT_STATUS_ACCEPTED
REFUSED = event_service_pb2.EVENT_STATUS_REFUSED


@dataclass(slots=True)
class Shop:
    """Sends events; `clock` is that of the senders (ms, UTC)."""

    chance: random.Random
    channel: Channel
    clock: Callable[[], int]
    profiles: int
    late: float
    devices: random.Random | None = None
    """Draws who comes by an anonymous id, and is identified later; None where nobody does."""
    acknowledged: dict[str, int] = field(default_factory=dict)
    """By message id, where the log has it; 0 where only a repeat was acknowledged."""
    _last_at: int = 0
    _known: set[str] = field(default_factory=set)

    async def open(self, events: int, seconds: float) -> None:
        """Have so many events happen within so many seconds, and return once all are in."""
        chance = self.chance
        async with asyncio.TaskGroup() as tasks:
            made: list[event_pb2.Event] = []
            for number in range(events):
                await asyncio.sleep(chance.expovariate(events / seconds))
                made.append(self._event(f"m{number}"))
                if chance.random() < 0.1:
                    made.append(made[-1])
                if chance.random() < 0.7:
                    tasks.create_task(self._send(made))
                    if chance.random() < 0.05:
                        tasks.create_task(self._send(made))
                    made = []
            tasks.create_task(self._send(made))

    async def _send(self, events: list[event_pb2.Event]) -> None:
        stub = event_service_pb2_grpc.EventServiceStub(self.channel)
        request = event_service_pb2.BatchTrackEventsRequest(events=events)
        while True:
            try:
                answer = await stub.BatchTrackEvents(request, timeout=CALL_SECONDS)
                break
            except grpc.aio.AioRpcError:
                await asyncio.sleep(self.chance.random())
        for result in answer.results:
            assert result.status != REFUSED, result.problem
            if result.status == ACCEPTED:
                known = self.acknowledged.get(result.message_id, 0)
                assert not known, f"{result.message_id} was accepted twice"
            self.acknowledged.setdefault(result.message_id, 0)
            if result.position:
                self.acknowledged[result.message_id] = result.position

    def _event(self, id: str) -> event_pb2.Event:
        """Make an event: of now, of the past, or of the very time of the one before."""
        chance = self.chance
        event = event_pb2.Event(
            message_id=id,
            profile_id=f"p{chance.randrange(self.profiles)}",
            name=chance.choices(NAMES, WEIGHTS)[0],
        )
        content: dict[str, object] = {
            "thing": chance.randrange(2),
            "cart": chance.choice(("a", "b")),
            "price": chance.choice((10, 25.5, 60)),
        }
        new = event.profile_id not in self._known
        if chance.random() < (0.7 if new else 0.06):
            event.type, event.name = event_pb2.EVENT_TYPE_IDENTIFY, ""
            address = f"{event.profile_id}@example.com"
            content = {"plan": chance.choice(("gold", "free")), "email": address}
        self._known.add(event.profile_id)
        event.properties_json = json.dumps(content).encode()
        self._set_time(event)
        if self.devices is not None:
            self._come_by_device(event, self.devices)
        return event

    def _come_by_device(self, event: event_pb2.Event, chance: random.Random) -> None:
        """Have some be anonymous, identify some of those, and make known ones one person."""
        draw, device = chance.random(), f"x{chance.randrange(5)}"
        if draw < 0.35:
            event.profile_id, event.anonymous_id = "", device
        elif draw < 0.5:
            event.type, event.name = event_pb2.EVENT_TYPE_IDENTIFY, ""
            event.anonymous_id = device
        elif draw < 0.55:
            event.type, event.name = event_pb2.EVENT_TYPE_ALIAS, ""
            event.previous_id = chance.choice((device, f"p{chance.randrange(self.profiles)}"))

    def _set_time(self, event: event_pb2.Event) -> None:
        draw = self.chance.random()
        if draw < 0.4:
            return  # It happens when it is accepted.
        at = self.clock()
        if draw < 0.5 and self._last_at:
            at = self._last_at
        elif draw < 0.5 + self.late:
            at -= self.chance.randrange(1, 4_000)
        self._last_at = at
        event.occur_time.seconds, rest = divmod(at, 1000)
        event.occur_time.nanos = rest * 1_000_000
