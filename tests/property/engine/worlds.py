"""Small random worlds: few names, few milliseconds, so that ties and exact deadlines abound.

Everything is drawn from a `random.Random`: Hypothesis gives one that it can shrink, the deep runs a
plain one that is twenty times as fast.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tests.property.engine import oracle
from tests.property.engine.definitions import BORN, PLAN, TAGS, ZONE, segments

#: "X" is mentioned by no pattern but `*`.
EVENT_NAMES = ("A", "A", "A", "B", "B", "C", "X")
#: Those that are equal as in JSON, those that look so, and those that name no group.
GROUPS = (1, 1, 1, 1.0, 2, 2, "1", True, 0, -0.0, 2.5, None, None, (1,))
VALUES = (0.1, 0.2, 0.3, 0.1, 1, 1, 1.0, 2, -2, 1e16, -1e16, 1e308, True, "1", "gold", "iron", None)
SUMMANDS = (0.1, 0.2, 0.3, 1, 2, 3, -2, -1)
WORDS = ("gold", "iron", "iron", 1, 2, True)
DELAYS = (0, 0, 0, 0, 1, 2, 3, 5, 8, 13)
#: The latest time of an event, and a moment behind everything that can still happen.
LATEST, END = 20, 40


@dataclass(frozen=True)
class World:
    """What a case is about."""

    segments: tuple[oracle.Segment, ...]
    events: tuple[oracle.Event, ...]


def in_order(random: Random) -> World:
    """A world whose events were accepted at once."""
    return World(segments(random), events_in_order(random))


def as_accepted(random: Random, most: int = 9) -> World:
    """A world with late events, in the order of acceptance."""
    return World(segments(random), events_as_accepted(random, most))


@dataclass(frozen=True)
class Pool:
    """What the events of one case are made of: at times of very little, so that it meets."""

    names: tuple[str, ...]
    groups: tuple[object, ...]
    values: tuple[object, ...]
    of_traits: float  #: How many of all events change traits.


def pool(random: Random) -> Pool:
    """A few of everything, or all."""
    return Pool(
        random.choice((EVENT_NAMES, EVENT_NAMES, ("A", "B"), ("A", "A", "B", "C"))),
        random.choice((GROUPS, tuple(random.choices(GROUPS, k=2)), (1, 1.0), (1, 2, None))),
        random.choice((VALUES, tuple(random.choices(VALUES, k=3)), SUMMANDS, SUMMANDS)),
        random.choice((0.05, 0.15, 0.3)),
    )


def busy(random: Random) -> tuple[oracle.Event, ...]:
    """Many events of few kinds, so that much lies beyond a short horizon, time and again."""
    times = sorted(random.randint(0, LATEST) for _ in range(random.randint(8, 30)))
    drawn = Pool(
        random.choice((("A",), ("A", "A", "A", "B"), ("A", "A", "A", "B", "B", "C"))),
        random.choice(((1, 1.0), (1, 2.0), (1, 1.0, 2, None))),
        random.choice((SUMMANDS, SUMMANDS, (0.1, 0.2, 0.3), (1e16, -1e16, 1, -1), WORDS)),
        random.choice((0.0, 0.0, 0.1, 0.3)),
    )
    return _accepted(random, drawn, times)


def long(random: Random) -> tuple[oracle.Event, ...]:
    """More events than are ever named, of one group or two."""
    times = sorted(random.randint(0, LATEST) for _ in range(random.randint(90, 150)))
    groups = random.choice(((1,), (1, 1.0, 2)))
    return _accepted(random, Pool(("A", "A", "A", "A", "A", "B"), groups, SUMMANDS, 0.0), times)


def events_in_order(random: Random, most: int = 9) -> tuple[oracle.Event, ...]:
    """Events in the order of time, each accepted at once."""
    times, drawn = _times(random, most), pool(random)
    return tuple(event(random, drawn, order, time, time) for order, time in enumerate(times))


def events_as_accepted(random: Random, most: int = 9) -> tuple[oracle.Event, ...]:
    """Events in the order of acceptance, some of them late."""
    times = _times(random, most)
    return _accepted(random, pool(random), times)


def _accepted(random: Random, drawn: Pool, times: list[int]) -> tuple[oracle.Event, ...]:
    return tuple(
        event(random, drawn, order, accepted_at - random.choice(DELAYS), accepted_at)
        for order, accepted_at in enumerate(times)
    )


def event(random: Random, drawn: Pool, order: int, time: int, accepted_at: int) -> oracle.Event:
    """An event at a time, now and then a change of traits."""
    if random.random() < drawn.of_traits:
        return change_of_traits(random, order, time, accepted_at)
    return oracle.Event(
        random.choice(drawn.names),
        time,
        order,
        accepted_at,
        marked=random.random() < 0.5,
        group=random.choice(drawn.groups),
        other=random.choice(drawn.groups),
        value=random.choice(drawn.values),
    )


def change_of_traits(random: Random, order: int, time: int, accepted_at: int) -> oracle.Event:
    """Traits that are set or unset, or tags."""
    kind = random.choice(("identify", "identify", "add_tags", "remove_tags"))
    plain = oracle.Event("", time, order, accepted_at, kind=kind)
    if kind != "identify":
        return replace(plain, tags=tuple(random.sample(TAGS, random.randint(1, 2))))
    found: dict[str, object] = {}
    if random.random() < 0.6:
        found[PLAN] = random.choice((1, 2, 1.5, "gold", None, True))
    if random.random() < 0.7:
        found[BORN] = random.choice(DAYS)
    if random.random() < 0.3:
        found[ZONE] = random.choice(("UTC", "Europe/Berlin", "Atlantic/Cape_Verde", "here", None))
    return replace(plain, traits=tuple(found.items()))


DAYS = (
    "1970-01-01",
    "1999-01-01",
    "2000-01-01T12:00:00.000Z",
    "1970-01-01T00:00:00.005Z",
    "1970-01-01T01:00:00.007+01:00",
    "1969-12-31T23:59:59.998",
    "soon",
    7,
    None,
)


def _times(random: Random, most: int) -> list[int]:
    latest = random.choice((5, 10, LATEST))
    return sorted(random.randint(0, latest) for _ in range(random.randint(0, most)))


def shuffled(random: Random, events: tuple[oracle.Event, ...]) -> tuple[oracle.Event, ...]:
    """The same events, accepted in another order and all of them at the end."""
    order = list(events)
    random.shuffle(order)
    return tuple(replace(event, accepted_at=LATEST) for event in order)
