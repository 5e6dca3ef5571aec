"""Forgetting what lies beyond a horizon changes nothing; the oracle never forgets."""

from __future__ import annotations

from random import Random

from hairspring.engine.records import Record
from hairspring.engine.simulate import simulate, simulate_accepted
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, step
from hairspring.store.encoding import decode, encode

from tests.property.engine import definitions, oracle, translated, worlds
from tests.property.engine.profiles import property_test
from tests.property.engine.worlds import END

#: Events of one case, so many that most of them lie beyond the horizon in the end.
MANY = 20


def short_horizon(random: Random) -> int:
    """Longer than some delays of events, and shorter than others."""
    return random.randint(3, 10)


@property_test
def test_live_evaluation_within_a_horizon(random: Random) -> None:
    """Late events count up to the horizon, and what is folded beyond it still does.

    The state is stored now and then, with the earliest alarm that was ever set.
    """
    world, lateness = worlds.as_accepted(random, MANY), random.randint(0, 4)
    if random.random() < 0.5:
        said = oracle.Segment("watching", definitions.leaf(random))
        world = worlds.World((said,), worlds.busy(random))
    plan, horizon = translated.plan(world.segments), short_horizon(random)
    state, records = ProfileState(), list[Record]()
    due: int | None = None

    for event in world.events:
        given = translated.event(event)
        state, found, alarm = step(state, given, plan, lateness=lateness, horizon=horizon)
        records += found
        if alarm is not None and (due is None or alarm < due):
            due = alarm
        if random.random() < 0.3:
            state = decode(encode(state))
            state.bound(due)
    state, found, _ = step(state, Passed(END), plan, lateness=lateness, horizon=horizon)
    records += found

    expected = oracle.as_accepted(world.segments, world.events, END, lateness, horizon)
    assert translated.story(expected) == translated.told(records)
    assert expected.clock == state.clock


@property_test
def test_simulation_within_a_horizon(random: Random) -> None:
    """Simulation forgets and tells the same, by event time and as accepted."""
    segments, horizon = definitions.segments(random), short_horizon(random)
    plan = translated.plan(segments)
    if random.random() < 0.5:
        events = worlds.events_in_order(random, MANY)
        given = [("ada", translated.event(event)) for event in events]
        found = simulate(given, plan, until=END, horizon=horizon)
        expected = oracle.by_event_time(segments, events, END)
    else:
        events = worlds.events_as_accepted(random, MANY)
        given = [("ada", translated.event(event)) for event in events]
        found = simulate_accepted(given, plan, until=END, horizon=horizon)
        expected = oracle.as_accepted(segments, events, END, horizon=horizon)

    assert translated.story(expected) == translated.told(told.record for told in found)


@property_test
def test_a_condition_alone_within_a_horizon(random: Random) -> None:
    """After each event a condition answers as over all that was ever in time."""
    said, horizon = definitions.leaf(random), short_horizon(random)
    condition = translated.condition(said)
    plan = translated.plan([oracle.Segment("watching", said)])
    state, history = ProfileState(), list[oracle.Event]()

    for event in worlds.busy(random):
        state = step(state, translated.event(event), plan, lateness=END, horizon=horizon).state
        if event.accepted_at - event.time <= horizon:
            history.append(event)
            history.sort(key=lambda known: (known.time, known.order))
        if random.random() < 0.3:
            state = decode(encode(state))
        clock = END if state.clock is None else state.clock
        for t in (*range(clock, min(clock + 4, END)), END):
            assert oracle.holds(said, history, set(), t) == condition.verdict(state, t).holds


@property_test
def test_any_order_of_arrival_within_the_horizon(random: Random) -> None:
    """What came late and what came in time end in the same answers."""
    said, horizon = definitions.leaf(random), short_horizon(random)
    condition = translated.condition(said)
    plan = translated.plan([oracle.Segment("watching", said)])
    events = [event for event in worlds.busy(random) if event.accepted_at - event.time <= horizon]
    late, in_time = ProfileState(), ProfileState()

    for event in events:
        late = step(late, translated.event(event), plan, horizon=horizon).state
    for event in sorted(events, key=lambda event: (event.time, event.order)):
        in_time = step(in_time, translated.event(event), plan).state

    for t in range(max(late.clock or 0, in_time.clock or 0), END):
        assert condition.verdict(in_time, t).holds == condition.verdict(late, t).holds


@property_test
def test_what_is_remembered_does_not_grow_with_the_history(random: Random) -> None:
    """Of a thousand events, no more are kept than evidence names, and those within the horizon."""
    if random.random() < 0.9:
        return  # a few of these are enough
    said, horizon = random.choice(definitions.LEAVES)(random), short_horizon(random)
    plan, state = translated.plan([oracle.Segment("watching", said)]), ProfileState()
    drawn = worlds.Pool(("A", "A", "B", "C"), random.choice(((1,), (1, 2))), (1, 2, "gold"), 0.0)
    time = 0
    for order in range(1000):
        time += random.randint(0, 2)
        late = random.choice((0, 0, 1, 3))
        event = worlds.event(random, drawn, order, time - late, time)
        state = step(state, translated.event(event), plan, horizon=horizon).state

    runs = [
        *state.streams.values(),
        *(run for runs in state.keyed.values() for run in runs.values()),
    ]
    groups = 1 + max((len(runs) for runs in state.keyed.values()), default=0)
    assert groups <= 4
    assert sum(map(len, runs)) <= 130 * groups
