"""Conditions on what somebody did, for one group (or all events, where nothing is grouped)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.property.engine.oracle.values import (
    concerns,
    concerns_loosely,
    group_of,
    rounded_sum,
    value_of,
)
from tests.property.engine.oracle.words import (
    Abandoned,
    Aggregate,
    Behaviour,
    Event,
    Inactive,
    Pattern,
    Performed,
    Sequence,
    compares,
)

History = list[Event]


def own_patterns(condition: Behaviour) -> tuple[Pattern, ...]:
    """The patterns whose events are judged, not those of `since` and `unless`."""
    if isinstance(condition, Abandoned):
        return (condition.start,)
    return condition.steps if isinstance(condition, Sequence) else (condition.pattern,)


def groups(condition: Behaviour, history: History) -> list[str | None]:
    """The groups to be judged; None alone where nothing is grouped."""
    patterns = own_patterns(condition)
    if patterns[0].by is None:
        return [None]
    found: list[str | None] = []
    for event in history:
        group = group_of(patterns[0], event)
        if group is not None and group not in found and any(p.matches(event) for p in patterns):
            found.append(group)
    return found


def judge(condition: Behaviour, history: History, t: int, group: str | None) -> bool:
    """Whether the condition holds at t for a group."""
    match condition:
        case Performed():
            count = len(chosen(condition, history, t, group))
            return compares(condition.operator, count, condition.number)
        case Abandoned():
            return _abandoned(condition, history, t, group)
        case Sequence():
            return any(
                condition.recent is None or t - chain[-1].time < condition.recent
                for chain in chains(condition.steps, condition.within, history, group)
            )
        case Inactive():
            times = [event.time for event in history if condition.pattern.matches(event)]
            return bool(times) and max(times) + condition.wait <= t
        case Aggregate():
            return _aggregate(condition, history, t, group)


def chosen(
    condition: Performed | Aggregate, history: History, t: int, group: str | None
) -> History:
    """The events that count: within the window, and after the last `since` event."""
    found = History()
    for event in history:
        if condition.since is not None and concerns_loosely(condition.since, event, group):
            found = []  # only what comes after it, in the profile's order, can count ...
            continue  # ... and an event does not come after itself
        if not concerns(condition.pattern, event, group):
            continue
        if isinstance(condition, Aggregate) and value_of(condition, event) is None:
            continue
        if condition.within is None or t - condition.within < event.time <= t:
            found.append(event)
    return found


def _aggregate(condition: Aggregate, history: History, t: int, group: str | None) -> bool:
    values = [value_of(condition, event) for event in chosen(condition, history, t, group)]
    numbers = [value for value in values if isinstance(value, float)]
    if group is not None and not values:
        return False
    result: float | str
    match condition.fn:
        case "count_distinct":
            result = len(set(values))
        case "sum":
            result = rounded_sum(numbers)
        case _ if not values:
            return False
        case "avg":
            result = rounded_sum(numbers) / len(numbers)
        case "min" | "max":
            result = min(numbers) if condition.fn == "min" else max(numbers)
        case end:
            value = values[0] if end == "first" else values[-1]
            assert value is not None
            result = value
    return compares(condition.operator, result, condition.limit)


def _abandoned(condition: Abandoned, history: History, t: int, group: str | None) -> bool:
    happened = [(e.time, 0) for e in history if concerns(condition.start, e, group)]
    happened += [(e.time, 1) for e in history if concerns_loosely(condition.end, e, group)]
    deadline: int | None = None  # of the episode that is open
    abandoned = False
    for time, is_end in sorted(happened):
        if deadline is not None and time > deadline:
            deadline, abandoned = None, True
        if is_end:
            deadline, abandoned = None, False
        elif deadline is None:
            deadline, abandoned = time + condition.after, False
        elif condition.restart:
            deadline = time + condition.after
    return abandoned or (deadline is not None and t >= deadline)


def chains(
    steps: tuple[Pattern, ...], within: int | None, history: History, group: str | None
) -> Iterator[tuple[Event, ...]]:
    """All ways to find the steps one after the other, the last within so much of the first."""

    def further(chain: tuple[Event, ...], rest: History) -> Iterator[tuple[Event, ...]]:
        if len(chain) == len(steps):
            yield chain
            return
        for place, event in enumerate(rest):
            if within is not None and chain and event.time - chain[0].time > within:
                return
            if concerns(steps[len(chain)], event, group):
                yield from further((*chain, event), rest[place + 1 :])

    return further((), history)
