"""The oracle's words in the engine's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from hairspring.engine import conditions
from hairspring.engine.conditions import Comparison, Condition, Function, Threshold
from hairspring.engine.events import Event, EventKind
from hairspring.engine.plan import Plan
from hairspring.engine.records import Dropped, Held, Record, Transition
from hairspring.engine.segments import Segment
from hairspring.engine.state import ProfileState
from hairspring.engine.step import step
from hairspring.engine.streams import Pattern
from hairspring.engine.values import Takes

from tests.property.engine import oracle

Story = dict[str, list[oracle.Told]]


def event(said: oracle.Event) -> Event:
    properties: Mapping[str, object]
    match said.kind:
        case "identify":
            properties = dict(said.traits)
        case "add_tags" | "remove_tags":
            properties = {"tags": list(said.tags)}
        case _:
            properties = {
                "marked": said.marked,
                "group": said.group,
                "other": said.other,
                "value": said.value,
            }
    return Event(
        name=said.name,
        time=said.time,
        order=said.order,
        accepted_at=said.accepted_at,
        message_id=f"m{said.order}",
        kind=EventKind(said.kind),
        properties=properties,
    )


def pattern(said: oracle.Pattern, takes: Takes | None = None) -> Pattern:
    by = said.by
    return Pattern(
        names=said.names,
        where="properties.marked" if said.marked else None,
        predicate=(lambda event: event.properties["marked"] is True) if said.marked else None,
        by=None if by is None else f"properties.{by}",
        group=None if by is None else lambda event: event.properties[by],
        of=None if takes is None else "properties.value",
        value=None if takes is None else lambda event: event.properties["value"],
        takes=takes or Takes.NUMBER,
    )


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
        case oracle.Sequence():
            return conditions.Sequence(
                steps=tuple(pattern(step) for step in said.steps),
                within=said.within,
                recent=said.recent,
            )
        case oracle.Inactive():
            return conditions.Inactive(pattern=pattern(said.pattern), wait=said.wait)
        case oracle.Aggregate():
            return aggregate(said)
        case oracle.All():
            return conditions.All(tuple(condition(part) for part in said.parts))
        case oracle.Any():
            return conditions.Any(tuple(condition(part) for part in said.parts))
        case oracle.Not():
            return conditions.Not(condition(said.part))
        case oracle.Member():
            return conditions.InSegment(said.segment)
        case _:
            return of_traits(said)


def aggregate(said: oracle.Aggregate) -> Condition:
    takes = Takes.TEXT if isinstance(said.limit, str) else Takes.NUMBER
    return conditions.Aggregate(
        pattern=pattern(said.pattern, Takes.ANY if said.fn == "count_distinct" else takes),
        fn=Function(said.fn),
        limit=Threshold(operator=said.operator, value=said.limit),
        within=said.within,
        since=None if said.since is None else pattern(said.since),
    )


def of_traits(said: oracle.OfTraits) -> Condition:
    match said:
        case oracle.Profile():
            return conditions.Traits(
                text=f"traits.{said.trait} {said.operator} {said.value!r}",
                predicate=lambda traits: oracle.says(said, traits),
                unset=lambda traits: (),
            )
        case oracle.Tagged():
            return conditions.Traits(
                text=f"{said.tag!r} in traits.tags",
                predicate=lambda traits: said.tag in traits.get("tags", ()),  # type: ignore[operator]
                unset=lambda traits: (),
            )
        case oracle.Date():
            return conditions.Date(trait=said.trait, begin=said.begin, end=said.end)
        case oracle.Anniversary():
            return conditions.Anniversary(
                trait=said.trait,
                begin=said.begin,
                end=said.end,
                timezone=said.zone,
                timezone_trait=said.zone_trait,
            )


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


def state(events: Iterable[oracle.Event], said: Iterable[oracle.Segment]) -> ProfileState:
    """What the engine keeps of a profile after some events."""
    compiled, found = plan(said), ProfileState()
    for one in events:
        found = step(found, event(one), compiled).state
    return found


def told(records: Iterable[Record], *, reasons: bool = False) -> Story:
    """What was recorded, segment by segment; with the reasons where asked for."""
    story: Story = defaultdict(list)
    for record in records:
        match record:
            case Transition():
                found = transition(record)
                story[record.segment].append(found if reasons else replace(found, reasons=()))
            case Held():
                story[record.segment].append(oracle.Told("held", record.segment, record.rise_at))
            case Dropped():
                story[record.segment].append(oracle.Told("dropped", record.segment, record.rise_at))
    return dict(story)


def transition(record: Transition) -> oracle.Told:
    cause = record.cause.event
    return oracle.Told(
        record.change.value,
        record.segment,
        record.effective_at,
        None if cause is None else cause.order,
        record.cause.late,
        record.groups,
        tuple(
            oracle.Reason(one.holds, one.events, tuple(sorted(one.groups)))
            for one in record.evidence
        ),
    )


def story(said: oracle.Oracle, *, reasons: bool = False) -> Story:
    """The same of what the oracle told."""
    found: Story = defaultdict(list)
    for one in said.told:
        found[one.segment].append(one if reasons else replace(one, reasons=()))
    return dict(found)
