"""Groups and values: what is equal as in JSON, and sums that are rounded once."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from fractions import Fraction

from tests.property.engine.oracle.words import Aggregate, Event, Pattern


def key(value: object) -> str | None:
    """The text of a string, number or boolean, the same for what is equal as in JSON."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        exact = Fraction(value)
        return str(exact.numerator) if exact.denominator == 1 else repr(float(value))
    return None


def group_of(pattern: Pattern, event: Event) -> str | None:
    """The group that an event names by a pattern's `by`."""
    return None if pattern.by is None else key(getattr(event, pattern.by))


def concerns(pattern: Pattern, event: Event, group: str | None) -> bool:
    """Whether an event matches and is of a group; of any where nothing is grouped."""
    if not pattern.matches(event):
        return False
    return group is None or pattern.by is None or group_of(pattern, event) == group


def concerns_loosely(pattern: Pattern, event: Event, group: str | None) -> bool:
    """The same for `since` and `unless`: an event without the value concerns every group."""
    if not pattern.matches(event):
        return False
    return group is None or pattern.by is None or group_of(pattern, event) in (group, None)


def value_of(condition: Aggregate, event: Event) -> float | str | None:
    """What an aggregate takes of an event; None where it leaves it out."""
    value = event.value
    if condition.fn == "count_distinct":
        return key(value)
    if isinstance(condition.limit, str):
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def rounded_sum(values: Iterable[float]) -> float:
    """The sum of doubles, rounded once; infinite beyond the greatest double."""
    exact = sum(map(Fraction, values), Fraction(0))
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf
