"""The engine alone: what an event costs, and whether that grows with the number of segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from hairspring.cli import segment_spec
from hairspring.engine.events import Event
from hairspring.engine.plan import Plan
from hairspring.engine.records import Transition
from hairspring.engine.simulate import simulate
from hairspring.engine.state import ProfileState
from hairspring.engine.step import step

from tests.benchmarks import definitions, shop
from tests.benchmarks.figures import Figure, Size, microseconds, ratio

_COMMAND = "python -m tests.benchmarks --only engine"
_EVENTS_PER_PROFILE = 100


def figures(size: Size, directory: Path, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure 100 segments and 1,000, of which as many look at an event."""
    history = events(size.steps)
    plans = {count: definitions.plan(count) for count in (100, 1_000)}
    steady: dict[int, list[float]] = {count: [] for count in plans}
    first: dict[int, list[float]] = {count: [] for count in plans}
    for number in range(size.rounds):
        for count, plan in plans.items():
            say(f"round {number + 1} of {size.rounds}: {count:,} segments")
            states: dict[str, ProfileState] = {}
            first[count].append(microseconds(partial(_begin, history, plan, states)))
            steady[count].append(microseconds(partial(_fold, history, plan, states)))
    looked_at = definitions.looking(plans[100])
    changes = _changes(history, plans[100]) / len(history)
    for count, values in steady.items():
        yield Figure(
            name=f"engine, an event with {count:,} segments",
            unit="µs",
            values=tuple(values),
            goal="15 or less" if count == 100 else "no more than with 100",
            command=_COMMAND,
            ratio=f"{ratio(tuple(values), tuple(steady[100])):.2f} of 100 segments",
            note=f"20 event names, {looked_at:.0f} segments look at each, "
            f"{changes:.2f} transitions an event",
        )
    for count, values in first.items():
        yield Figure(
            name=f"engine, a profile's first event with {count:,} segments",
            unit="µs",
            values=tuple(values),
            command=_COMMAND,
            ratio=f"{ratio(tuple(values), tuple(first[100])):.2f} of 100 segments",
            note="once a profile: judges those that can hold of a stranger",
        )
    yield from _by_kind(size, history, say)


def _by_kind(
    size: Size, history: list[tuple[str, Event]], say: Callable[[str], None]
) -> Iterator[Figure]:
    """Measure a hundred segments of one kind, so that one sees where it goes."""
    for kind, condition in definitions.KINDS.items():
        say(f"100 segments of {kind}")
        plan = definitions.plan_of(condition)
        values = []
        for _ in range(size.rounds):
            states: dict[str, ProfileState] = {}
            _begin(history, plan, states)
            values.append(microseconds(partial(_fold, history, plan, states)))
        changes = _changes(history, plan) / len(history)
        yield Figure(
            name=f"engine, an event with 100 of {kind}",
            unit="µs",
            values=tuple(values),
            command=_COMMAND,
            note=f"{changes:.2f} transitions an event",
        )


def events(count: int) -> list[tuple[str, Event]]:
    """So many events of the shop, of profiles with a hundred events each."""
    profiles = max(1, count // _EVENTS_PER_PROFILE)
    found = []
    for number, line in enumerate(shop.lines(events=count, profiles=profiles)):
        read = segment_spec.read(line)
        assert isinstance(read, segment_spec.Event)
        event = Event(
            name=read.name,
            time=read.time,
            order=number,
            accepted_at=read.time,
            message_id=read.message_id,
            properties=read.properties,
        )
        found.append((read.profile, event))
    return found


def _begin(history: list[tuple[str, Event]], plan: Plan, states: dict[str, ProfileState]) -> int:
    """Give each profile its first instant, with an event that no segment looks at."""
    start = history[0][1]._replace(name="Came By", order=-1)
    for profile in {profile: None for profile, _ in history}:
        states[profile] = step(ProfileState(), start, plan).state
    return len(states)


def _fold(history: list[tuple[str, Event]], plan: Plan, states: dict[str, ProfileState]) -> int:
    for profile, event in history:
        states[profile] = step(states[profile], event, plan).state
    return len(history)


def _changes(history: list[tuple[str, Event]], plan: Plan) -> int:
    told = simulate(history, plan)
    return sum(isinstance(record, Transition) for _, record in told)
