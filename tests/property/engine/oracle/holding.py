"""Whether conditions hold."""

from __future__ import annotations

from tests.property.engine.oracle import behaviour, days
from tests.property.engine.oracle.values import group_of, value_of
from tests.property.engine.oracle.words import (
    Abandoned,
    Aggregate,
    All,
    Anniversary,
    Any,
    Condition,
    Date,
    Event,
    Member,
    Not,
    Performed,
    Profile,
    Sequence,
    Tagged,
)


def holds(condition: Condition, history: list[Event], members: set[str], t: int) -> bool:
    """Whether a condition holds at t, over a whole history in the profile's order."""
    if isinstance(condition, All):
        return all(holds(part, history, members, t) for part in condition.parts)
    if isinstance(condition, Any):
        return any(holds(part, history, members, t) for part in condition.parts)
    if isinstance(condition, Not):
        return not holds(condition.part, history, members, t)
    if isinstance(condition, Member):
        return condition.segment in members
    if isinstance(condition, Profile | Tagged | Date | Anniversary):
        return days.judge(condition, history, t)
    return any(
        behaviour.judge(condition, history, t, group)
        for group in behaviour.groups(condition, history)
    )


def concerns(condition: Condition, event: Event) -> bool:
    """Whether an event is one that a condition without parts may answer otherwise after."""
    if isinstance(condition, Profile | Tagged | Date | Anniversary):
        return event.kind != "track"
    if isinstance(condition, Member | All | Any | Not):
        return False
    if isinstance(condition, Abandoned) and condition.end.matches(event):
        return True
    if isinstance(condition, Performed | Aggregate):
        if condition.since is not None and condition.since.matches(event):
            return True
        if isinstance(condition, Aggregate) and value_of(condition, event) is None:
            return False
    patterns = behaviour.own_patterns(condition)
    if isinstance(condition, Sequence) and not any(p.matches(event) for p in patterns):
        return False
    grouped = patterns[0].by is None or group_of(patterns[0], event) is not None
    return grouped and any(pattern.matches(event) for pattern in patterns)
