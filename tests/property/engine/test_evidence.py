"""A transition names the events that made it so, and the groups."""

from __future__ import annotations

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
