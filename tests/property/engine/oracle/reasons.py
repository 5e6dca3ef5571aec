"""Which events a condition is explained by.

- `performed`: the latest of those that count, as many as decide: n for `>= n` and `< n`, one more
  for the other comparisons, at least one.
- `abandoned`: the starts of the episode that is open or abandoned; else the latest end.
- `sequence`: with `recent` the chain that ends latest, else the one that was complete first; each
  step the latest before the next one. Where there is none, the longest beginning of one that could
  still be completed at this moment.
- `inactive`: the last event. `aggregate`: those whose values count.

With `by`: those of all groups that it holds for, or, where there is none, of the group of the
latest event. Never more than a hundred, the latest.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.property.engine.oracle import behaviour
from tests.property.engine.oracle.behaviour import History
from tests.property.engine.oracle.holding import holds
from tests.property.engine.oracle.values import concerns, concerns_loosely, group_of, value_of
from tests.property.engine.oracle.words import (
    Abandoned,
    Aggregate,
    Behaviour,
    Condition,
    Event,
    Inactive,
    Performed,
    Sequence,
    leaves,
)

MOST = 100


@dataclass(frozen=True)
class Reason:
    """How one condition without parts stands, with the (time, order) of the events behind it."""

    holds: bool
    events: tuple[tuple[int, int], ...]
    groups: tuple[str, ...]


def reasons(
    condition: Condition, history: History, members: set[str], t: int
) -> tuple[Reason, ...]:
    """A reason for each condition without parts, in the order of writing."""
    return tuple(_reason(leaf, history, members, t) for leaf in leaves(condition))


def _reason(leaf: Condition, history: History, members: set[str], t: int) -> Reason:
    if not isinstance(leaf, Performed | Abandoned | Sequence | Inactive | Aggregate):
        return Reason(holds(leaf, history, members, t), (), ())
    groups = behaviour.groups(leaf, history)
    holding = [group for group in groups if behaviour.judge(leaf, history, t, group)]
    events: set[tuple[int, int]] = set()
    for group in holding or _group_of_latest(leaf, history):
        events |= {(event.time, event.order) for event in _events(leaf, history, t, group)}
    named = tuple(sorted(group for group in holding if group is not None))
    return Reason(bool(holding), tuple(sorted(events)[-MOST:]), named)


def _group_of_latest(condition: Behaviour, history: list[Event]) -> list[str | None]:
    patterns = behaviour.own_patterns(condition)
    if patterns[0].by is None:
        return [None]
    for event in reversed(history):
        if isinstance(condition, Aggregate) and value_of(condition, event) is None:
            continue
        group = group_of(patterns[0], event)
        if group is not None and any(pattern.matches(event) for pattern in patterns):
            return [group]
    return []


def _events(condition: Behaviour, history: History, t: int, group: str | None) -> History:
    match condition:
        case Performed():
            more = 0 if condition.operator in (">=", "<") else 1
            decide = max(condition.number + more, 1)
            return behaviour.chosen(condition, history, t, group)[-decide:]
        case Aggregate():
            return behaviour.chosen(condition, history, t, group)
        case Inactive():
            return [event for event in history if condition.pattern.matches(event)][-1:]
        case Abandoned():
            return _episode(condition, history, group)
        case Sequence():
            return _chain(condition, history, t, group)


def _episode(condition: Abandoned, history: History, group: str | None) -> History:
    happened = [(e.time, 0, e.order, e) for e in history if concerns(condition.start, e, group)]
    happened += [
        (e.time, 1, e.order, e) for e in history if concerns_loosely(condition.end, e, group)
    ]
    events, deadline, is_open = History(), 0, False
    for time, is_end, _, event in sorted(happened, key=lambda one: one[:3]):
        if is_end:
            events, is_open = [event], False
        elif is_open and time <= deadline:
            events.append(event)
            deadline = time + condition.after if condition.restart else deadline
        else:
            events, deadline, is_open = [event], time + condition.after, True
    return events


def _chain(condition: Sequence, history: History, t: int, group: str | None) -> History:
    steps, recent = condition.steps, condition.recent
    whole = list(behaviour.chains(steps, condition.within, history, group))
    if recent is not None:
        whole = [chain for chain in whole if t - chain[-1].time < recent]
    elif whole:
        first = min(_place(chain[-1]) for chain in whole)
        whole = [chain for chain in whole if _place(chain[-1]) == first]
    for count in range(len(steps) - 1, 0, -1):
        if not whole:
            whole = [
                chain
                for chain in behaviour.chains(steps[:count], condition.within, history, group)
                if condition.within is None or t - chain[0].time <= condition.within
            ]
    if not whole:
        return []
    return list(max(whole, key=lambda chain: [_place(event) for event in reversed(chain)]))


def _place(event: Event) -> tuple[int, int]:
    return event.time, event.order
