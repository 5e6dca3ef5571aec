"""The oracle's words in the engine's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from hairspring.engine import conditions
from hairspring.engine.conditions import Comparison, Condition
from hairspring.engine.events import Event, EventKind
from hairspring.engine.plan import Plan
from hairspring.engine.records import Dropped, Held, Record, Transition
from hairspring.engine.segments import Segment
from hairspring.engine.streams import Pattern

from tests.property.engine import oracle

Story = dict[str, list[oracle.Told]]


def event(said: oracle.Event) -> Event:
    return Event(
        name="" if said.identify else said.name,
        time=said.time,
        order=said.order,
        accepted_at=said.accepted_at,
        message_id=f"m{said.order}",
        kind=EventKind.IDENTIFY if said.identify else EventKind.TRACK,
        properties={"marked": said.marked},
    )


def pattern(said: oracle.Pattern) -> Pattern:
    if said.marked:
        return Pattern(
            names=said.names,
            where="properties.marked",
            predicate=lambda event: event.properties["marked"] is True,
        )
    return Pattern(names=said.names)


def condition(said: oracle.Condition) -> Condition:
    match said:
        case oracle.Performed():
            return conditions.Performed(
                pattern=pattern(said.pattern),
                times=Comparison(operator=said.operator, number=said.number),
                within=said.within,
                since=None if said.since is None else pattern(said.since),
            )
        case oracle.Abandoned():
            return conditions.Abandoned(
                pattern=pattern(said.start),
                unless=pattern(said.end),
                after=said.after,
                restart=said.restart,
            )
        case oracle.All():
            return conditions.All(tuple(condition(part) for part in said.parts))
        case oracle.Any():
            return conditions.Any(tuple(condition(part) for part in said.parts))
        case oracle.Not():
            return conditions.Not(condition(said.part))
        case oracle.Member():
            return conditions.InSegment(said.segment)


def segment(said: oracle.Segment) -> Segment:
    return Segment(
        name=said.name,
        enter=condition(said.enter),
        exit=None if said.exit is None else condition(said.exit),
        stay=said.stay,
        cooldown=said.cooldown,
        max_event_age=said.max_event_age,
    )


def plan(said: Iterable[oracle.Segment]) -> Plan:
    return Plan([segment(one) for one in said])


def told(records: Iterable[Record]) -> Story:
    """What was recorded, segment by segment."""
    story: Story = defaultdict(list)
    for record in records:
        match record:
            case Transition():
                cause = record.cause.event
                story[record.segment].append(
                    oracle.Told(
                        record.change.value,
                        record.segment,
                        record.effective_at,
                        None if cause is None else cause.order,
                        record.cause.late,
                    )
                )
            case Held():
                story[record.segment].append(oracle.Told("held", record.segment, record.rise_at))
            case Dropped():
                story[record.segment].append(oracle.Told("dropped", record.segment, record.rise_at))
    return dict(story)


def story(said: oracle.Oracle) -> Story:
    """The same of what the oracle told."""
    found: Story = defaultdict(list)
    for one in said.told:
        found[one.segment].append(one)
    return dict(found)
