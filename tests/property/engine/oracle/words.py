"""The words of the language: events, patterns, conditions, segments."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

T = TypeVar("T")

OPERATORS = {
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    "<": operator.lt,
}


def compares(compare: str, found: float | str, limit: float | str) -> bool:
    """Whether something is as a comparison asks."""
    return bool(OPERATORS[compare](found, limit))


@dataclass(frozen=True)
class Event:
    """An event of one profile; `marked` is what patterns with `where` ask for.

    `kind` is `track`, `identify`, `add_tags` or `remove_tags`. `group` and `other` are what `by`
    may name, `value` is what aggregates take.
    """

    name: str
    time: int
    order: int
    accepted_at: int
    marked: bool = False
    kind: str = "track"
    group: object = None
    other: object = None
    value: object = None
    traits: tuple[tuple[str, object], ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pattern:
    """Which events are meant; `by` is `group` or `other`."""

    names: tuple[str, ...]
    marked: bool = False
    by: str | None = None

    def matches(self, event: Event) -> bool:
        """Whether an event is meant, whatever group it names."""
        named = event.name in self.names or "*" in self.names
        return named and event.kind == "track" and (event.marked or not self.marked)


@dataclass(frozen=True)
class Performed:
    pattern: Pattern
    operator: str
    number: int
    within: int | None
    since: Pattern | None


@dataclass(frozen=True)
class Abandoned:
    start: Pattern
    end: Pattern
    after: int
    restart: bool


@dataclass(frozen=True)
class Sequence:
    steps: tuple[Pattern, ...]
    within: int | None
    recent: int | None


@dataclass(frozen=True)
class Inactive:
    pattern: Pattern
    wait: int


@dataclass(frozen=True)
class Aggregate:
    pattern: Pattern
    fn: str
    operator: str
    limit: float | str
    within: int | None
    since: Pattern | None


@dataclass(frozen=True)
class Profile:
    """`traits.NAME OPERATOR VALUE`; fails where the trait is unset or of another type."""

    trait: str
    operator: str
    value: float | str


@dataclass(frozen=True)
class Tagged:
    """`"TAG" in traits.tags`; fails where nobody ever said anything of tags."""

    tag: str


@dataclass(frozen=True)
class Date:
    trait: str
    begin: int
    end: int


@dataclass(frozen=True)
class Anniversary:
    trait: str
    begin: int
    end: int
    zone: str = "UTC"
    zone_trait: str | None = None


@dataclass(frozen=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Any:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    part: Condition


@dataclass(frozen=True)
class Member:
    segment: str


Behaviour = Performed | Abandoned | Sequence | Inactive | Aggregate
OfTraits = Profile | Tagged | Date | Anniversary
Condition = Behaviour | OfTraits | All | Any | Not | Member


@dataclass(frozen=True)
class Segment:
    name: str
    enter: Condition
    exit: Condition | None = None
    stay: int | None = None
    cooldown: int | None = None
    max_event_age: int | None = None


def parts(condition: Condition) -> tuple[Condition, ...]:
    """The conditions directly within one."""
    if isinstance(condition, All | Any):
        return condition.parts
    return (condition.part,) if isinstance(condition, Not) else ()


def leaves(condition: Condition) -> Iterator[Condition]:
    """Those within a condition that have no parts, in the order of writing."""
    inner = parts(condition)
    if not inner:
        yield condition
    for part in inner:
        yield from leaves(part)


def conditions_of(segment: Segment) -> Iterator[Condition]:
    """All conditions without parts of a segment."""
    yield from leaves(segment.enter)
    if segment.exit is not None:
        yield from leaves(segment.exit)


def references(segment: Segment) -> set[str]:
    """Every segment that a segment refers to."""
    return {leaf.segment for leaf in conditions_of(segment) if isinstance(leaf, Member)}


def rewritten(said: T, change: Callable[[Pattern], Pattern]) -> T:
    """The same condition or segment with its patterns changed."""
    if isinstance(said, Pattern):
        return change(said)
    if isinstance(said, tuple):
        return tuple(rewritten(part, change) for part in said)
    if not is_dataclass(said):
        return said
    parts = {field.name: getattr(said, field.name) for field in fields(said)}
    return replace(said, **{name: rewritten(part, change) for name, part in parts.items()})
