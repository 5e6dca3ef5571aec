"""Events that no pattern can match may be left out of a simulation."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from hairspring.cli.event_order import Numbered, needed
from hairspring.cli.simulation import mentioned_names
from hairspring.engine.events import Event, EventKind
from hairspring.engine.records import Record
from hairspring.engine.simulate import Told, simulate

from tests.property.engine import translated, worlds
from tests.property.engine.profiles import property_test

Given = tuple[str, Event]


def numbered(profile: str, event: Event) -> Numbered:
    content = (event.kind.value, dict(event.properties), dict(event.context))
    return event.order, (profile, event.time, event.name, event.message_id, *content)


def given(numbered: Numbered) -> Given:
    order, (profile, time, name, message_id, kind, properties, context) = numbered
    return profile, Event(name, time, order, time, message_id, EventKind(kind), properties, context)


def by_profile(told: Iterable[Told]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for profile, record in told:
        found.setdefault(profile, []).append(record)
    return found


@property_test
def test_leaving_out_events_that_nobody_mentions_changes_nothing(random: Random) -> None:
    """Every record is the same, of each profile, whether such events are judged or left out."""
    world = worlds.in_order(random)
    plan = translated.plan(world.segments)
    events = [
        (random.choice(("ada", "ben", "cleo")), translated.event(event)) for event in world.events
    ]
    until = random.choice((None, None, random.randint(0, worlds.LATEST)))

    fewer = list(map(given, needed((numbered(*e) for e in events), mentioned_names(plan))))

    whole = by_profile(simulate(events, plan, until=until))
    assert whole == by_profile(simulate(fewer, plan, until=until))
