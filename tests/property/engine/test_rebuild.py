"""Rebuilding from history agrees with what simulation and live evaluation say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from random import Random

from hairspring.engine.events import too_old
from hairspring.engine.plan import Plan
from hairspring.engine.rebuild import rebuild
from hairspring.engine.records import Change, Origin, Record, Transition
from hairspring.engine.simulate import Finished, Imported, simulate, simulate_accepted
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, step

from tests.property.engine import definitions, oracle, translated, worlds
from tests.property.engine.profiles import property_test
from tests.property.engine.worlds import END


def marked(records: Iterable[Record], origin: Origin) -> list[Record]:
    """The records with their transitions' origin changed."""
    return [
        replace(record, origin=origin) if isinstance(record, Transition) else record
        for record in records
    ]


@property_test
def test_a_profile_never_judged_is_rebuilt_as_simulated(random: Random) -> None:
    """The rebuild of a fresh profile tells and keeps what simulation does."""
    world = worlds.in_order(random)
    plan = translated.plan(world.segments)
    events = [translated.event(event) for event in world.events]
    backwards, horizon = reversed(events), random.choice((None, random.randint(3, 10)))

    state, records, alarm = rebuild(
        ProfileState(), backwards, plan, through=END, origin=Origin.IMPORT, horizon=horizon
    )

    simulated = simulate([("ada", e) for e in events], plan, until=END, horizon=horizon)
    expected = [told.record for told in simulated]
    assert marked(expected, Origin.IMPORT) == records
    assert alarm is None or alarm > END
    followed = oracle.by_event_time(world.segments, world.events, END)
    assert followed.members() == {name for name in state.segments if state.is_member(name)}


@property_test
def test_an_unchanged_history_publishes_nothing(random: Random) -> None:
    """A rebuild of what was evaluated already is silent, and life goes on as without it."""
    world = worlds.in_order(random)
    plan = translated.plan(world.segments)
    events = [translated.event(event) for event in world.events]
    cut = random.randint(0, len(events))
    through = max((event.time for event in events[:cut]), default=0)
    if cut < len(events) and events[cut].time > through:
        through = random.randint(through, events[cut].time - 1)
    state, untouched = ProfileState(), ProfileState()
    for given in (*events[:cut], Passed(through)):
        state = step(state, given, plan).state
        untouched = step(untouched, given, plan).state

    state, records, _ = rebuild(state, events[:cut], plan, through=through, origin=Origin.IMPORT)
    assert records == []

    assert untouched.born_at == state.born_at
    for given in (*events[cut:], Passed(END)):
        state, found, _ = step(state, given, plan)
        untouched, expected, _ = step(untouched, given, plan)
        assert expected == found


@property_test
def test_a_rebuild_goes_on_from_the_clock(random: Random) -> None:
    """Moments behind the clock that a rebuild passes are told as passing them live would."""
    world = worlds.in_order(random)
    plan = translated.plan(world.segments)
    events = [translated.event(event) for event in world.events]
    state, live = ProfileState(), ProfileState()
    for event in events:
        state = step(state, event, plan).state
        live = step(live, event, plan).state

    found = rebuild(state, events, plan, through=END, origin=Origin.IMPORT).records

    assert marked(step(live, Passed(END), plan).records, Origin.IMPORT) == found


def imports_beside_life(random: Random) -> list[tuple[str, oracle.Event | Finished]]:
    """A log of one profile in which some events are imported, and when the import finishes."""
    events = list(worlds.events_as_accepted(random))
    share = random.choice((0.2, 0.5, 0.8))
    entries: list[tuple[str, oracle.Event | Finished]] = [
        ("imported" if random.random() < share else "live", event) for event in events
    ]
    for index, (kind, event) in enumerate(entries):
        if kind == "imported" and isinstance(event, oracle.Event):
            older = replace(event, time=event.time - random.choice((0, 2, 5, 12)))
            entries[index] = (kind, older)
    last = max((i for i, (kind, _) in enumerate(entries) if kind == "imported"), default=-1)
    place = random.randint(last + 1, len(entries))
    before = entries[place - 1][1] if place else None
    at = before.accepted_at if isinstance(before, oracle.Event) else 0
    entries.insert(place, ("", Finished("import", at)))
    return entries


def follow(
    entries: list[tuple[str, oracle.Event | Finished]], plan: Plan, horizon: int | None = None
) -> list[Transition]:
    """All transitions of the log."""
    said = []
    for kind, entry in entries:
        if isinstance(entry, Finished):
            said.append(("", entry))
        elif kind == "imported":
            said.append(("ada", Imported(translated.event(entry), "import")))
        else:
            said.append(("ada", translated.event(entry)))
    found = simulate_accepted(said, plan, until=END, horizon=horizon)
    return [told.record for told in found if isinstance(told.record, Transition)]


def alternates(transitions: list[Transition]) -> set[str]:
    """Checks that each segment is entered and left by turns, by `effective_at`; who is in at last.

    Changes of one millisecond may have been published in any order.
    """
    members = set()
    changes: dict[str, Counter[int]] = defaultdict(Counter)
    for transition in transitions:
        by_one = 1 if transition.change is Change.ENTERED else -1
        changes[transition.segment][transition.effective_at] += by_one
    for segment, by_time in changes.items():
        inside = 0
        for _, change in sorted(by_time.items()):
            inside += change
            assert inside in (0, 1), f"{segment} is entered or left twice in a row"
        if inside:
            members.add(segment)
    return members


@property_test
def test_imports_beside_live_events_alternate(random: Random) -> None:
    """What was published of a profile reads as one story, whatever was imported when."""
    world = definitions.segments(random)

    horizon = random.choice((None, random.randint(3, 10)))

    transitions = follow(imports_beside_life(random), translated.plan(world), horizon)

    alternates(transitions)


@property_test
def test_imports_beside_live_events_end_in_the_truth(random: Random) -> None:
    """In the end those are members for whom, over the whole history, `enter` holds."""
    world = definitions.without_memory(definitions.segments(random))
    entries, horizon = imports_beside_life(random), random.choice((None, random.randint(3, 10)))

    transitions = follow(entries, translated.plan(world), horizon)

    history = [
        entry
        for kind, entry in entries
        if isinstance(entry, oracle.Event)
        and (kind == "imported" or not too_old(translated.event(entry), horizon))
    ]
    history.sort(key=lambda event: (event.time, event.order))
    expected = set[str]()
    for segment in world if history else ():
        if oracle.holds(segment.enter, history, expected, END):
            expected.add(segment.name)
    assert expected == alternates(transitions)
