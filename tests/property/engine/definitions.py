"""Small random definitions over the whole language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeVar

from tests.property.engine import oracle

T = TypeVar("T")

#: Not in the order of the alphabet, so that the plan has to find its own order.
SEGMENT_NAMES = ("mid", "alpha", "zeta")
#: The traits that conditions read: what is compared, a date, and a zone.
PLAN, BORN, ZONE = "plan", "born", "zone"
TAGS = ("vip", "new")
COMPARISONS = (">=", ">=", ">=", ">", "==", "!=", "<=", "<")
NUMBERS = (0, 0.1, 0.3, 0.6, 1, 2, 3, 1e16)
HOUR = 3_600_000


def maybe(random: Random, chance: float, draw: Callable[[Random], T]) -> T | None:
    """Something, in so many of all cases."""
    return draw(random) if random.random() < chance else None


def duration(random: Random) -> int:
    """Short ones are likelier; the long ones outlast a short horizon."""
    return random.choice((1, 1, 2, 2, 3, 4, 5, 8, 13))


def pattern(random: Random, by: str | None = None) -> oracle.Pattern:
    """One or two names, at times with `where`."""
    names = random.choice((("A",), ("A",), ("B",), ("B",), ("C",), ("A", "B"), ("*",)))
    return oracle.Pattern(names, random.random() < 0.2, by)


def grouping(random: Random) -> str | None:
    """What a condition groups by."""
    return random.choice((None, None, "group"))


def cut(random: Random, by: str | None) -> oracle.Pattern:
    """A `since` or `unless` of a condition that groups by this."""
    return pattern(random, by and random.choice((by, by, by, "other", None)))


def performed(random: Random) -> oracle.Performed:
    """A count; with `by` none that 0 satisfies."""
    by = grouping(random)
    compare, number = random.choice(COMPARISONS), random.choice((0, 1, 1, 1, 2, 2, 3))
    if by is not None and oracle.compares(compare, 0, number):
        compare, number = ">=", max(number, 1)
    within, since = maybe(random, 0.5, duration), maybe(random, 0.3, lambda r: cut(r, by))
    return oracle.Performed(pattern(random, by), compare, number, within, since)


def abandoned(random: Random) -> oracle.Abandoned:
    """A wait for an end."""
    by = grouping(random)
    restart = random.random() < 0.5
    return oracle.Abandoned(pattern(random, by), cut(random, by), duration(random), restart)


def sequence(random: Random) -> oracle.Sequence:
    """Two or three steps."""
    by = grouping(random)
    steps = tuple(pattern(random, by) for _ in range(random.choice((2, 2, 2, 3))))
    return oracle.Sequence(steps, maybe(random, 0.4, duration), maybe(random, 0.4, duration))


def inactive(random: Random) -> oracle.Inactive:
    """A wait since the last event."""
    return oracle.Inactive(pattern(random), duration(random))


def aggregate(random: Random) -> oracle.Aggregate:
    """Something made of values."""
    by = grouping(random)
    fn = random.choice(("sum", "sum", "avg", "min", "max", "first", "last", "count_distinct"))
    limit: float | str = float(random.choice(NUMBERS))
    if fn == "count_distinct":
        limit = float(random.randint(0, 4))
    elif fn in ("first", "last") and random.random() < 0.5:
        limit = random.choice(("gold", "iron"))
    within, since = maybe(random, 0.4, duration), maybe(random, 0.3, lambda r: cut(r, by))
    compare = random.choice(COMPARISONS)
    return oracle.Aggregate(pattern(random, by), fn, compare, limit, within, since)


def of_traits(random: Random) -> oracle.Condition:
    """A condition on traits."""
    match random.randrange(4):
        case 0:
            value = random.choice((1, 2, "gold"))
            return oracle.Profile(PLAN, random.choice(COMPARISONS), value)
        case 1:
            return oracle.Tagged(random.choice(TAGS))
        case 2:
            begin = random.randint(-6, 6)
            return oracle.Date(BORN, begin, begin + duration(random))
        case _:
            return anniversary(random)


def anniversary(random: Random) -> oracle.Anniversary:
    """The days of the traits turn at the beginning of 1970 in UTC, and near it elsewhere."""
    begin = random.randint(0, 9) + random.choice((0, 0, 0, HOUR, -HOUR))
    zone, trait = random.choice((("UTC", None), ("Europe/Berlin", None), ("UTC", ZONE)))
    return oracle.Anniversary(BORN, begin, begin + duration(random), zone, trait)


LEAVES: tuple[Callable[[Random], oracle.Condition], ...] = (
    *(performed, performed, abandoned, abandoned, sequence, sequence),
    *(aggregate, aggregate, inactive, of_traits),
)


def condition(random: Random, names: tuple[str, ...] = (), depth: int = 0) -> oracle.Condition:
    """One that may refer to the segments named."""
    kinds = ["leaf"] * 4
    if names:
        kinds += ["member"] * 2
    if depth < 2:
        kinds += ["all", "any", "not"]
    kind = random.choice(kinds)
    if kind == "leaf":
        return random.choice(LEAVES)(random)
    if kind == "member":
        return oracle.Member(random.choice(names))
    if kind == "not":
        return oracle.Not(condition(random, names, depth + 1))
    parts = tuple(condition(random, names, depth + 1) for _ in range(random.randint(1, 3)))
    return oracle.All(parts) if kind == "all" else oracle.Any(parts)


#: What two conditions of one kind can have in common.
READ = ("pattern", "since", "start", "end", "steps")


def leaf(random: Random) -> oracle.Condition:
    """One without parts, or two that share streams."""
    make = random.choice(LEAVES)
    one, other = make(random), make(random)
    if random.random() < 0.4 or isinstance(one, oracle.OfTraits) or type(one) is not type(other):
        return one
    read = {name: getattr(one, name) for name in READ if hasattr(one, name)}
    if isinstance(one, oracle.Performed) and one.pattern.by is not None:
        read |= {"operator": ">=", "number": random.randint(1, 3)}
    two = (one, replace(other, **read))
    return oracle.All(two) if random.random() < 0.5 else oracle.Any(two)


def segments(random: Random) -> tuple[oracle.Segment, ...]:
    """One to three, each of which may refer to those before it; half of the time they are alike."""
    found = _segments(random)
    if random.random() < 0.5:
        return found
    few = (pattern(random), pattern(random))
    return tuple(
        oracle.rewritten(segment, lambda said: alike(random, few, said)) for segment in found
    )


def alike(random: Random, few: tuple[oracle.Pattern, ...], said: oracle.Pattern) -> oracle.Pattern:
    """A pattern that means one of a few kinds of events, so that conditions share streams."""
    return replace(random.choice(few), by=said.by)


def _segments(random: Random) -> tuple[oracle.Segment, ...]:
    return tuple(
        oracle.Segment(
            SEGMENT_NAMES[index],
            condition(random, SEGMENT_NAMES[:index]),
            exit=maybe(random, 0.4, lambda r, n=SEGMENT_NAMES[:index]: condition(r, n)),
            stay=maybe(random, 0.4, duration),
            cooldown=maybe(random, 0.4, duration),
            max_event_age=maybe(random, 0.3, lambda r: r.randint(1, 4)),
        )
        for index in range(random.randint(1, len(SEGMENT_NAMES)))
    )


def without_memory(segments: tuple[oracle.Segment, ...]) -> tuple[oracle.Segment, ...]:
    """The same segments with `enter` alone, so that membership is what `enter` answers."""
    return tuple(oracle.Segment(segment.name, segment.enter) for segment in segments)
