"""Short ways to write engines' inputs in tests; times are milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hairspring.engine.conditions import Condition
from hairspring.engine.events import Event, EventKind
from hairspring.engine.plan import Plan
from hairspring.engine.records import Dropped, Held, Matched, Merged, Record, Transition
from hairspring.engine.segments import Segment
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, Step, step
from hairspring.engine.streams import Pattern, Run
from hairspring.engine.values import Takes

ADD = Pattern(names=("Add",))
BUY = Pattern(names=("Buy",))
GO = Pattern(names=("Go",))
STOP = Pattern(names=("Stop",))


def event(
    name: str, time: int, order: int = 0, accepted_at: int | None = None, **properties: object
) -> Event:
    """An event, accepted at once unless said otherwise; its id is its name and time."""
    return Event(
        name=name,
        time=time,
        order=order or time,
        accepted_at=time if accepted_at is None else accepted_at,
        message_id=f"{name}@{time}",
        properties=properties,
    )


def identify(time: int, **traits: object) -> Event:
    """A change of traits."""
    return Event("", time, time, time, f"identify@{time}", EventKind.IDENTIFY, traits)


def by(name: str, path: str = "cart", **more: object) -> Pattern:
    """The events of a name, grouped by a property."""
    return Pattern(
        names=(name,),
        by=f"properties.{path}",
        group=lambda event: event.properties.get(path),
        **more,  # type: ignore[arg-type]
    )


def valued(pattern: Pattern, takes: Takes = Takes.NUMBER) -> Pattern:
    """The same events with the values of their property `value`."""
    return replace(
        pattern,
        of="properties.value",
        value=lambda event: event.properties.get("value"),
        takes=takes,
    )


def lived(
    condition: Condition, *events: Event | Passed, horizon: int | None = None
) -> ProfileState:
    """The state of a profile that was judged by a segment of this condition all along."""
    plan, state = Plan([segment(condition)]), ProfileState()
    for one in events:
        state = step(state, one, plan, horizon=horizon).state
    return state


def knowing(*events: Event, by: Condition | None = None) -> ProfileState:
    """The state of a profile whose events have been put into the streams of ADD, BUY, GO, STOP.

    With `by`, into the streams that this condition reads.
    """
    state = ProfileState()
    patterns = (ADD, BUY, GO, STOP) if by is None else tuple(by.patterns())
    for one in events:
        for pattern in patterns:
            if one.name in pattern.names:
                run = state.streams.setdefault(pattern.key, Run([], []))
                run.insert(one.time, one.order)
    return state


def fold(plan: Plan, *given: Event | Passed, lateness: int = 0) -> Step:
    """Everything that came of some inputs."""
    state, records, alarm = ProfileState(), list[Record](), None
    for one in given:
        state, found, alarm = step(state, one, plan, lateness=lateness)
        records += found
    return Step(state, records, alarm)


def lines(records: Iterable[Record]) -> list[str]:
    """The records in words, such as `1000 entered carts by Add@0`."""
    return [_line(record) for record in records]


def _line(record: Record) -> str:
    match record:
        case Transition():
            cause = record.cause.event
            by = "time" if cause is None else cause.message_id
            late = " late" if record.cause.late else ""
            return f"{record.effective_at} {record.change.value} {record.segment} by {by}{late}"
        case Held():
            return f"{record.rise_at} held {record.segment} by {record.reason} until {record.until}"
        case Dropped():
            return f"{record.rise_at} dropped {record.segment} by {record.reason}"
        case Matched():
            return f"{record.event.time} matched {record.event.name}"
        case Merged():
            return f"{record.at} merged with {record.former}"


def segment(enter: Condition, name: str = "carts", **more: object) -> Segment:
    """A segment of the name that most tests use."""
    return Segment(name=name, enter=enter, **more)  # type: ignore[arg-type]
