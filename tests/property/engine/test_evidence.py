"""A transition names the events that made it so, and the groups."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hairspring.engine.records import Record
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, step

from tests.property.engine import definitions, oracle, translated, worlds
from tests.property.engine.profiles import property_test
from tests.property.engine.worlds import END


@property_test
def test_transitions_name_the_events_that_the_oracle_used(random: Random) -> None:
    """Condition by condition: whether it held, by which events, for which groups."""
    world, lateness = worlds.as_accepted(random, 12), random.randint(0, 4)
    if random.random() < 0.5:
        said = oracle.Segment("watching", definitions.leaf(random))
        world = worlds.World((said,), worlds.busy(random))
    plan = translated.plan(world.segments)
    state, records = ProfileState(), list[Record]()

    for given in (*map(translated.event, world.events), Passed(END)):
        state, found, _ = step(state, given, plan, lateness=lateness)
        records += found

    expected = oracle.as_accepted(world.segments, world.events, END, lateness)
    assert translated.story(expected, reasons=True) == translated.told(records, reasons=True)


@property_test
def test_of_a_long_history_the_latest_events_are_named(random: Random) -> None:
    """A hundred at most, with more of them or not, late or in time."""
    said = random.choice(definitions.LEAVES)(random)
    if isinstance(said, oracle.Sequence):
        return  # too many chains to try
    if isinstance(said, oracle.Performed) and random.random() < 0.5:
        said = replace(
            said, operator=random.choice((">=", ">", "==")), number=random.randint(98, 120)
        )
    events = worlds.long(random)
    state = translated.state(events, [oracle.Segment("watching", said)])
    history = sorted(events, key=lambda event: (event.time, event.order))
    t = history[-1].time + random.randint(0, 3)

    found = translated.condition(said).finding(state, t)

    (expected,) = oracle.reasons(said, history, set(), t)
    assert expected.events == found.events
    assert expected.groups == tuple(sorted(found.groups))
