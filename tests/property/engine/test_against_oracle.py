"""The engine tells what the oracle tells, record for record and to the millisecond."""

from __future__ import annotations

from random import Random

from hairspring.engine.events import Event
from hairspring.engine.records import Record
from hairspring.engine.simulate import simulate, simulate_accepted
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, step

from tests.property.engine import definitions, oracle, translated, worlds
from tests.property.engine.profiles import property_test
from tests.property.engine.worlds import END


@property_test
def test_simulation_by_event_time(random: Random) -> None:
    """Simulation finds every change of every segment at the millisecond the page says."""
    world = worlds.in_order(random)
    events = [("ada", translated.event(event)) for event in world.events]

    found = simulate(events, translated.plan(world.segments), until=END)

    expected = translated.story(oracle.by_event_time(world.segments, world.events, END))
    assert expected == translated.told(told.record for told in found)


@property_test
def test_live_evaluation_with_late_events(random: Random) -> None:
    """Step by step over a log with late events, the engine follows the order of acceptance."""
    world, lateness = worlds.as_accepted(random), random.randint(0, 4)
    plan = translated.plan(world.segments)
    state, records = ProfileState(), list[Record]()
    inputs: list[Event | Passed] = [*map(translated.event, world.events), Passed(END)]

    for given in inputs:
        state, found, alarm = step(state, given, plan, lateness=lateness)
        records += found

    expected = oracle.as_accepted(world.segments, world.events, END, lateness)
    assert translated.story(expected) == translated.told(records)
    assert expected.clock == state.clock
    assert expected.members() == {name for name in state.segments if state.is_member(name)}
    assert alarm is None or alarm > END - lateness


@property_test
def test_simulation_as_accepted(random: Random) -> None:
    """Simulation of an accepted log ends at the last acceptance and tells what live told."""
    world, lateness = worlds.as_accepted(random), random.randint(0, 4)
    events = [("ada", translated.event(event)) for event in world.events]

    found = simulate_accepted(events, translated.plan(world.segments), lateness=lateness)

    end = world.events[-1].accepted_at if world.events else 0
    expected = oracle.as_accepted(world.segments, world.events, end, lateness)
    assert translated.story(expected) == translated.told(told.record for told in found)


@property_test
def test_conditions_alone(random: Random) -> None:
    """Each condition answers right at every moment, and its `until` is never too late."""
    said, events = definitions.condition(random), worlds.events_as_accepted(random, 14)
    if random.random() < 0.5:
        said, events = definitions.leaf(random), worlds.busy(random)
    condition = translated.condition(said)
    plan = translated.plan([oracle.Segment("watching", said)])
    state = ProfileState()
    for event in events:
        state = step(state, translated.event(event), plan, lateness=END).state
    history = sorted(events, key=lambda event: (event.time, event.order))
    start = max((event.time for event in events), default=0)

    before = condition.verdict(state, start)
    for t in range(start, END):
        verdict = condition.verdict(state, t)
        assert oracle.holds(said, history, set(), t) == verdict.holds
        if verdict.holds != before.holds:
            assert before.until is not None
            assert before.until <= t
        assert verdict.until is None or verdict.until > t
        if before.until is None or before.until <= t:
            before = verdict
