"""The workload of the pipeline: events as a sender puts them, and profiles with a past.

Names and properties are those of the shop, profiles are drawn evenly, so that hardly any event
finds its profile in memory by luck. Five properties take 200 bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from hairspring.contracts.event.v1 import event_pb2, event_service_pb2
from hairspring.engine.events import Event
from hairspring.engine.plan import Plan
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, step
from hairspring.store.encoding import encode

from tests.benchmarks import shop

PROPERTIES_BYTES = 200
_KINDS = 5_000
_DAY = 86_400_000
#: With so many events behind them, about one event in twenty changes a membership.
PAST_EVENTS = 14
_PASTS = 400
_MESSAGE, _PROFILE = "m" * 36, "p" * 15


def profile_id(number: int) -> str:
    """The id of a profile."""
    return f"customer-{number:06d}"


class Requests:
    """Makes requests of many events as bytes, cheaply: all but the ids is made beforehand."""

    def __init__(self, *, profiles: int, batch: int, seed: int = 1) -> None:
        """Takes how many profiles there are, and how many events go into a request."""
        self._profiles = profiles
        self._batch = batch
        self._random = Random(seed)
        self._seed = seed
        self._kinds = [_cut(name, properties) for name, properties in kinds()]
        self._number = 0

    def make(self) -> bytes:
        """A request with events that never were before."""
        parts: list[bytes] = []
        pick, kinds, profiles = self._random.random, self._kinds, self._profiles
        for number in range(self._number, self._number + self._batch):
            before, between, after = kinds[int(pick() * _KINDS)]
            profile = profile_id(int(pick() * profiles)).encode()
            parts += (before, b"%08x-%027d" % (self._seed, number), between, profile, after)
        self._number += self._batch
        return b"".join(parts)


def kinds() -> list[tuple[str, dict[str, Any]]]:
    """Names and properties of events, as often as they are in the shop."""
    found = []
    for line in shop.lines(events=_KINDS, profiles=_KINDS // 10):
        read = json.loads(line)
        found.append((read["event"], _padded(read["properties"])))
    return found


def _padded(properties: dict[str, Any]) -> dict[str, Any]:
    """Makes the name as long as it takes for all to have their size."""
    missing = PROPERTIES_BYTES - len(_written(properties))
    more = " of the autumn collection" * (missing // 25 + 1)
    return {**properties, "name": properties["name"] + more[:missing]}


def _written(properties: dict[str, Any]) -> bytes:
    return json.dumps(properties, separators=(",", ":")).encode()


def _cut(name: str, properties: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    """An event in a request, cut where its two ids stand."""
    event = event_pb2.Event(
        message_id=_MESSAGE, profile_id=_PROFILE, name=name, properties_json=_written(properties)
    )
    whole = event_service_pb2.BatchTrackEventsRequest(events=[event]).SerializeToString()
    before, rest = whole.split(_MESSAGE.encode())
    between, after = rest.split(_PROFILE.encode())
    return before, between, after


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """How a profile stands after its past: as it is stored, when it is due, where it is in."""

    state: bytes
    due_at: int | None
    members: tuple[tuple[str, int], ...]


def pasts(plan: Plan, *, now: int, seed: int = 1) -> Iterator[Past]:
    """Gives some pasts that ended before `now` (milliseconds, UTC), to be shared by profiles."""
    random = Random(seed)
    known = kinds()
    for _ in range(_PASTS):
        state, alarm = ProfileState(), None
        time = now - (PAST_EVENTS + 1) * _DAY
        for order in range(PAST_EVENTS):
            time += random.randrange(1, _DAY)
            name, properties = random.choice(known)
            event = Event(name, time, order - PAST_EVENTS, time, str(order), properties=properties)
            state, _, alarm = step(state, event, plan)
        state, _, alarm = step(state, Passed(now), plan)
        members = tuple(
            (name, stands.entered_at)
            for name, stands in state.segments.items()
            if stands.member and stands.entered_at is not None
        )
        yield Past(state=encode(state), due_at=alarm, members=members)
