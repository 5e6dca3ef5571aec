"""Small random worlds: few names, few milliseconds, so that ties and exact deadlines abound.

Everything is drawn from a `random.Random`: Hypothesis gives one that it can shrink, the deep runs a
plain one that is twenty times as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from tests.property.engine import oracle

T = TypeVar("T")

#: "X" is mentioned by no pattern but `*`.
EVENT_NAMES = ("A", "A", "A", "B", "B", "C", "X")
#: Not in the order of the alphabet, so that the plan has to find its own order.
SEGMENT_NAMES = ("mid", "alpha", "zeta")
DELAYS = (0, 0, 0, 0, 1, 2, 3, 5, 8, 13)
#: The latest time of an event, and a moment behind everything that can still happen.
LATEST, END = 20, 40


@dataclass(frozen=True)
class World:
    """What a case is about."""

    segments: tuple[oracle.Segment, ...]
    events: tuple[oracle.Event, ...]


def in_order(random: Random, *, unique: bool = False) -> World:
    """A world whose events were accepted at once."""
    return World(segments(random), events_in_order(random, unique=unique))


def as_accepted(random: Random) -> World:
    """A world with late events, in the order of acceptance."""
    return World(segments(random), events_as_accepted(random))


def maybe(random: Random, chance: float, draw: Callable[[Random], T]) -> T | None:
    """Something, in so many of all cases."""
    return draw(random) if random.random() < chance else None


def duration(random: Random) -> int:
    """Short ones are likelier."""
    return random.choice((1, 1, 2, 2, 3, 4, 5, 8))


def pattern(random: Random) -> oracle.Pattern:
    """One or two names, at times with `where`."""
    names = random.choice((("A",), ("A",), ("B",), ("B",), ("C",), ("A", "B"), ("*",)))
    return oracle.Pattern(names, random.random() < 0.2)


def performed(random: Random) -> oracle.Performed:
    """A count."""
    compare = random.choice((">=", ">=", ">=", ">", "==", "!=", "<=", "<"))
    number = random.choice((0, 1, 1, 1, 2, 2, 3))
    within, since = maybe(random, 0.5, duration), maybe(random, 0.3, pattern)
    return oracle.Performed(pattern(random), compare, number, within, since)


def abandoned(random: Random) -> oracle.Abandoned:
    """A wait for an end."""
    return oracle.Abandoned(
        pattern(random), pattern(random), duration(random), random.random() < 0.5
    )


def condition(random: Random, names: tuple[str, ...] = (), depth: int = 0) -> oracle.Condition:
    """One that may refer to the segments named."""
    kinds = ["performed", "performed", "abandoned", "abandoned"]
    if names:
        kinds += ["member"] * 2
    if depth < 2:
        kinds += ["all", "any", "not"]
    kind = random.choice(kinds)
    if kind == "performed":
        return performed(random)
    if kind == "abandoned":
        return abandoned(random)
    if kind == "member":
        return oracle.Member(random.choice(names))
    if kind == "not":
        return oracle.Not(condition(random, names, depth + 1))
    parts = tuple(condition(random, names, depth + 1) for _ in range(random.randint(1, 3)))
    return oracle.All(parts) if kind == "all" else oracle.Any(parts)


def segments(random: Random) -> tuple[oracle.Segment, ...]:
    """One to three, each of which may refer to those before it."""
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


def events_in_order(random: Random, *, unique: bool = False) -> tuple[oracle.Event, ...]:
    """Events in the order of time, each accepted at once."""
    times = _times(random)
    times = sorted(set(times)) if unique else times
    return tuple(event(random, order, time, time) for order, time in enumerate(times))


def events_as_accepted(random: Random) -> tuple[oracle.Event, ...]:
    """Events in the order of acceptance, some of them late."""
    return tuple(
        event(random, order, accepted_at - random.choice(DELAYS), accepted_at)
        for order, accepted_at in enumerate(_times(random))
    )


def event(random: Random, order: int, time: int, accepted_at: int) -> oracle.Event:
    """An event at a time, now and then a change of traits."""
    name = random.choice(EVENT_NAMES)
    marked, identify = random.random() < 0.5, random.random() < 0.05
    return oracle.Event(name, time, order, accepted_at, marked, identify)


def _times(random: Random) -> list[int]:
    latest = random.choice((5, 10, LATEST))
    return sorted(random.randint(0, latest) for _ in range(random.randint(0, 9)))


def shuffled(random: Random, events: tuple[oracle.Event, ...]) -> tuple[oracle.Event, ...]:
    """The same events, accepted in another order and all of them at the end."""
    order = list(events)
    random.shuffle(order)
    return tuple(replace(event, accepted_at=LATEST) for event in order)
