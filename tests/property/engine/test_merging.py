"""Two profiles that became one are as if one person had always sent all of it."""

from __future__ import annotations

from copy import deepcopy
from random import Random

from hairspring.engine.events import Event, too_old
from hairspring.engine.merging import merge, part
from hairspring.engine.past import Entry, InForce, accepted_at, as_known
from hairspring.engine.plan import Plan
from hairspring.engine.records import Change, Merged, Origin, Transition
from hairspring.engine.simulate import Finished, Imported, Joined, Told, simulate_accepted
from hairspring.engine.state import ProfileState
from hairspring.engine.step import UNJUDGED, Passed, step

from tests.property.engine import definitions, oracle, translated, worlds
from tests.property.engine.profiles import property_test
from tests.property.engine.test_rebuild import alternates
from tests.property.engine.worlds import END

Log = list[tuple[str, Entry]]


def two_lives(random: Random, *, late: bool = True) -> tuple[Log, list[oracle.Event]]:
    """A log of two profiles, one of which becomes part of the other; and all of its events."""
    make = worlds.events_as_accepted if late else worlds.events_in_order
    events = list(make(random, 12))
    place = random.randint(0, len(events))
    at = events[place - 1].accepted_at if place else 0
    at = random.randint(at, events[place].accepted_at if place < len(events) else at + 3)
    log: Log = []
    for number, event in enumerate(events):
        if number == place:
            log.append(("ada", Joined("x", at)))
        who = random.choice(("x", "ada")) if number < place else "ada"
        log.append((who, translated.event(event)))
    if place == len(events):
        log.append(("ada", Joined("x", at)))
    return log, events


def follow(
    log: Log, plan: Plan, *, lateness: int = 0, horizon: int | None = None
) -> dict[str, list[Transition]]:
    """The transitions of each profile."""
    told: list[Told] = list(
        simulate_accepted(log, plan, until=END + lateness, lateness=lateness, horizon=horizon)
    )
    found: dict[str, list[Transition]] = {"x": [], "ada": []}
    for one in told:
        if isinstance(one.record, Transition):
            found[one.profile].append(one.record)
    return found


def standing(log: Log, who: str, plan: Plan) -> ProfileState:
    """The state of a profile by its own events of the log."""
    state = ProfileState()
    for owner, entry in log:
        if owner == who and isinstance(entry, Event):
            state = step(state, entry, plan).state
    return state


@property_test
def test_both_read_as_one_story_each(random: Random) -> None:
    """Whoever ends has left everything; whoever goes on enters and leaves by turns."""
    log, _ = two_lives(random)
    lateness, horizon = random.choice((0, 0, 2)), random.choice((None, random.randint(3, 10)))

    told = follow(log, translated.plan(definitions.segments(random)), lateness=lateness)
    assert alternates(told["x"]) == set()
    alternates(told["ada"])

    told = follow(log, translated.plan(definitions.segments(random)), horizon=horizon)
    assert alternates(told["x"]) == set()
    alternates(told["ada"])


@property_test
def test_in_the_end_the_truth_is_that_of_one_person(random: Random) -> None:
    """Those are members for whom, over the history of both, `enter` holds."""
    world = definitions.without_memory(definitions.segments(random))
    (log, events), horizon = two_lives(random), random.choice((None, random.randint(3, 10)))

    told = follow(log, translated.plan(world), horizon=horizon)

    history = [one for one in events if not too_old(translated.event(one), horizon)]
    history.sort(key=lambda event: (event.time, event.order))
    expected = set[str]()
    for segment in world if history else ():
        if oracle.holds(segment.enter, history, expected, END):
            expected.add(segment.name)
    assert expected == alternates(told["ada"])


@property_test
def test_a_merge_answers_as_one_person_does_from_then_on(random: Random) -> None:
    """Each condition answers what it does for somebody who sent everything herself."""
    plan = translated.plan(definitions.without_memory(definitions.segments(random)))
    log, events = two_lives(random)
    alone = ProfileState()
    for event in events:
        alone = step(alone, translated.event(event), plan).state
    place = next(i for i, (_, entry) in enumerate(log) if isinstance(entry, Joined))
    joined = log[place][1]
    assert isinstance(joined, Joined)
    at, before = joined.accepted_at, log[:place]
    history = [entry for _, entry in before if isinstance(entry, Event)]
    mine, theirs = standing(before, "ada", plan), standing(before, "x", plan)

    state = merge(mine, theirs, history, plan, at=at, former="x").state
    for _, entry in log[place + 1 :]:
        assert isinstance(entry, Event)
        state = step(state, entry, plan).state

    state, alone = step(state, Passed(END), plan).state, step(alone, Passed(END), plan).state
    assert state.traits == alone.traits
    assert state.tags == alone.tags
    for segment in plan.segments if events else ():
        assert state.is_member(segment.name) == alone.is_member(segment.name)
        for t in range(END, END + 20):
            assert segment.enter.verdict(state, t) == segment.enter.verdict(alone, t)


@property_test
def test_who_is_in_stays_in_by_the_older_entry(random: Random) -> None:
    """No entry is told of one who is in; one that only moved is marked, and keeps its time."""
    plan = translated.plan(definitions.segments(random))
    log, _ = two_lives(random)
    place = next(i for i, (_, entry) in enumerate(log) if isinstance(entry, Joined))
    joined = log[place][1]
    assert isinstance(joined, Joined)
    at, before = joined.accepted_at, log[:place]
    history = [entry for _, entry in before if isinstance(entry, Event)]
    mine = step(standing(before, "ada", plan), Passed(at - 1), plan).state
    theirs = step(standing(before, "x", plan), Passed(at - 1), plan).state
    was_mine, was_theirs = deepcopy(mine.segments), deepcopy(theirs.segments)

    state, records, _ = merge(mine, theirs, history, plan, at=at, former="x")

    told = [r for r in records if isinstance(r, Transition)]
    last = {r.segment: r for r in told}
    merged = [r for r in records if isinstance(r, Merged)]
    if state.clock is None:
        assert records == []
        return
    assert [one.former for one in merged] == ["x"]
    for segment in plan.segments:
        was = (was_mine.get(segment.name, UNJUDGED), was_theirs.get(segment.name, UNJUDGED))
        found, inside = last.get(segment.name), [one for one in was if one.member]
        if not state.is_member(segment.name):
            # Whoever moved in may have to leave at that very instant, as when her stay is over.
            changes = [r.change for r in told if r.segment == segment.name]
            moved = [] if was[0].member else [Change.ENTERED]
            assert changes in ([], [*moved, Change.LEFT])
            assert changes or not was[0].member
            continue
        now = state.segments[segment.name]
        assert (found is None) == was[0].member
        if inside:
            assert now.entered_at == min(one.entered_at or 0 for one in inside)
        if found is not None:
            assert (found.change, found.origin) == (Change.ENTERED, Origin.MERGE)
            assert found.merged_with == ("x" if was[1].member else "")
            assert found.entered_at == now.entered_at
        if was[0].member and now.entered_at != was[0].entered_at:
            assert (segment.name, now.entered_at) in merged[0].entered


@property_test
def test_nobody_new_changes_nothing(random: Random) -> None:
    """A merge with somebody of whom nothing is known is silent, and life goes on as without it."""
    world = worlds.in_order(random)
    plan = translated.plan(world.segments)
    events = [translated.event(event) for event in world.events]
    cut = random.randint(0, len(events))
    at = max((event.time for event in events[:cut]), default=0)
    state, untouched = ProfileState(), ProfileState()
    for event in events[:cut]:
        state = step(state, event, plan).state
        untouched = step(untouched, event, plan).state

    state, records, _ = merge(state, ProfileState(), events[:cut], plan, at=at, former="x")

    assert [r for r in records if not isinstance(r, Merged)] == []
    for given in (*events[cut:], Passed(END)):
        state, found, _ = step(state, given, plan)
        untouched, expected, _ = step(untouched, given, plan)
        assert expected == found


@property_test
def test_a_past_with_merges_is_the_one_that_was_lived(random: Random) -> None:
    """Going back through a merge, and imports beside it, gives the state that was lived."""
    log, _ = two_lives(random)
    plan = translated.plan(definitions.segments(random))
    log = [
        (who, Imported(entry, "i") if isinstance(entry, Event) and random.random() < 0.3 else entry)
        for who, entry in log
    ]
    last = max((i for i, (_, entry) in enumerate(log) if isinstance(entry, Imported)), default=-1)
    place = random.randint(last + 1, len(log))
    log.insert(place, ("", Finished("i", accepted_at(log[place - 1][1]) if place else 0)))
    told = follow(log, plan)

    theirs: list[Entry] = []
    mine: list[Entry] = []
    for who, entry in log:
        if isinstance(entry, Joined):
            mine.append(entry._replace(entries=tuple(theirs)))
        else:
            for owner, own in (("x", theirs), ("ada", mine)):
                if who in ("", owner):
                    own.append(entry)
    state = as_known(mine, [InForce(since=0, plan=plan)], at=END)

    assert alternates(told["ada"]) == {s.name for s in plan.segments if state.is_member(s.name)}


@property_test
def test_who_ends_leaves_everything_at_that_instant(random: Random) -> None:
    """Everything before it is told at its own moment, and nothing is kept."""
    world = worlds.as_accepted(random)
    plan = translated.plan(world.segments)
    state, at = ProfileState(), END
    for event in world.events:
        state = step(state, translated.event(event), plan).state
    alone = step(deepcopy(state), Passed(at - 1), plan)

    ended, records, alarm = part(state, plan, at=at, into="ada")

    members = [s.name for s in plan.segments if alone.state.is_member(s.name)]
    assert records[: len(alone.records)] == alone.records
    told = [r for r in records[len(alone.records) :] if isinstance(r, Transition)]
    assert [(one.segment, one.effective_at, one.merged_with) for one in told] == [
        (name, at, "ada") for name in members
    ]
    assert (ended, alarm) == (ProfileState(), None)
