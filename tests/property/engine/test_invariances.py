"""What must not matter does not."""

from __future__ import annotations

from random import Random

from hairspring.engine.events import Event
from hairspring.engine.plan import Plan
from hairspring.engine.records import Record
from hairspring.engine.simulate import simulate
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, step
from hairspring.store.encoding import decode, encode

from tests.property.engine import definitions, oracle, translated, worlds
from tests.property.engine.profiles import property_test
from tests.property.engine.worlds import END, LATEST

Inputs = list[Event | Passed]


def run(
    inputs: Inputs, plan: Plan, lateness: int = 0, horizon: int | None = None
) -> tuple[ProfileState, list[Record]]:
    """One profile's fold."""
    state, records = ProfileState(), list[Record]()
    for given in inputs:
        state, found, _ = step(state, given, plan, lateness=lateness, horizon=horizon)
        records += found
    return state, records


@property_test
def test_waking_early_twice_or_late_changes_nothing(random: Random) -> None:
    """However often it is said that time has passed, and however late, the records are the same."""
    world, lateness = worlds.as_accepted(random), random.randint(0, 4)
    plan = translated.plan(world.segments)
    woken, calm = Inputs(), Inputs()
    known = -LATEST
    for event in map(translated.event, world.events):
        for _ in range(random.choice((0, 0, 1, 3))):
            known = random.randint(known - 3, max(known - 3, event.accepted_at - 1))
            woken.append(Passed(known))
        woken.append(event)
        calm.append(event)
    woken += [Passed(END - 5), Passed(END), Passed(END - 9), Passed(END)]
    calm.append(Passed(END))

    horizon = random.choice((None, random.randint(3, 10)))
    woken_state, woken_records = run(woken, plan, lateness, horizon)
    calm_state, calm_records = run(calm, plan, lateness, horizon)

    assert calm_records == woken_records
    assert calm_state.clock == woken_state.clock
    assert calm_state.segments == woken_state.segments
    assert calm_state.alarm() == woken_state.alarm()


@property_test
def test_any_order_of_arrival_ends_in_the_same_answers(random: Random) -> None:
    """Once all events are there, each condition answers as if they had come in order."""
    said = definitions.condition(random)
    condition = translated.condition(said)
    plan = translated.plan([oracle.Segment("watching", said)])
    events = worlds.events_in_order(random)
    mixed = map(translated.event, worlds.shuffled(random, events))

    in_order, _ = run([translated.event(event) for event in events], plan)
    as_it_came, _ = run(list(mixed), plan, lateness=END)

    for t in range(LATEST, END):
        assert condition.verdict(in_order, t) == condition.verdict(as_it_came, t)
    assert in_order.current_traits() == as_it_came.current_traits()


@property_test
def test_interruptions_change_nothing(random: Random) -> None:
    """A stored state and a plan compiled anew go on exactly where the others stopped."""
    world = worlds.as_accepted(random)
    inputs: Inputs = [*map(translated.event, world.events), Passed(END)]
    horizon = random.choice((None, random.randint(3, 10)))
    _, expected = run(inputs, translated.plan(world.segments), horizon=horizon)

    state, records = ProfileState(), list[Record]()
    plan = translated.plan(world.segments)
    for given in inputs:
        if random.random() < 0.5:
            stored = encode(state)
            step(state, given, plan, horizon=horizon)  # a try that was never committed
            state = decode(stored)
            plan = translated.plan(world.segments)
        state, found, _ = step(state, given, plan, horizon=horizon)
        records += found

    assert expected == records


@property_test
def test_profiles_do_not_concern_each_other(random: Random) -> None:
    """Simulating many profiles at once tells of each what it does alone, step by step."""
    segments = definitions.segments(random)
    plan = translated.plan(segments)
    alone: dict[str, Inputs] = {
        name: list(map(translated.event, worlds.events_in_order(random)))
        for name in ("ada", "ben", "cleo")
    }
    remaining = {name: list(events) for name, events in alone.items()}
    together = list[tuple[str, Event]]()
    while names := [name for name, events in remaining.items() if events]:
        name = random.choice(names)
        together.append((name, remaining[name].pop(0)))

    found = list(simulate(together, plan, until=END))

    for name, inputs in alone.items():
        _, expected = run([*inputs, Passed(END)], plan)
        assert expected == [told.record for told in found if told.profile == name]


@property_test
def test_other_segments_change_nothing_in_event_time(random: Random) -> None:
    """With no late events, a segment's story is the same with fewer others beside it."""
    world = worlds.in_order(random)
    events = [("ada", translated.event(event)) for event in world.events]
    whole = simulate(events, translated.plan(world.segments), until=END)
    expected = translated.told(told.record for told in whole)

    for count in range(1, len(world.segments)):
        plan = translated.plan(world.segments[:count])
        found = translated.told(told.record for told in simulate(events, plan, until=END))
        names = {segment.name for segment in world.segments[:count]}
        assert {name: story for name, story in expected.items() if name in names} == found


@property_test
def test_an_event_that_nobody_mentions_changes_nothing(random: Random) -> None:
    """In event time, one more event at the end of its millisecond makes no difference."""
    world = worlds.in_order(random)
    leaves = [leaf for one in world.segments for leaf in oracle.conditions_of(one)]
    if any(isinstance(leaf, oracle.OfTraits) for leaf in leaves):
        return
    plan = translated.plan(world.segments)
    events = [translated.event(event) for event in world.events]
    _, expected = run([*events, Passed(END)], plan)
    if not events:
        return
    time = random.randint(events[0].time, END)
    more = translated.event(oracle.Event("", time, 1000, time, kind="identify"))

    _, found = run([*sorted([*events, more], key=lambda e: (e.time, e.order)), Passed(END)], plan)

    assert expected == found
