"""New and changed segments: filled in silence, then put in force."""

from __future__ import annotations

import random
from dataclasses import replace

from hairspring.engine.conditions import Abandoned, Comparison, Condition, InSegment, Not, Performed
from hairspring.engine.events import Event
from hairspring.engine.filling import activate, fill
from hairspring.engine.plan import Plan
from hairspring.engine.records import Origin, Transition
from hairspring.engine.segments import Segment
from hairspring.engine.simulate import simulate
from hairspring.engine.state import ProfileState, SegmentState
from hairspring.engine.step import Passed, Step, step

from tests.unit.engine.histories import ADD, BUY, GO, event, lines

TWICE = Comparison(operator=">=", number=2)
BOUGHT = Performed(pattern=BUY)
LEFT = Abandoned(pattern=ADD, unless=BUY, after=100)


def named(name: str, enter: Condition, version: int = 0, stay: int | None = None) -> Segment:
    return Segment(name=name, enter=enter, version=version, stay=stay)


def referring(condition: Condition, forms: dict[str, str]) -> Condition:
    if isinstance(condition, Not):
        return Not(referring(condition.condition, forms))
    if isinstance(condition, InSegment):
        return InSegment(forms.get(condition.name, condition.name))
    return condition


def changed(
    before: list[Segment], new: list[Segment], *events: Event, adopted: int, through: int
) -> Step:
    """One profile: the new forms come at `adopted` and are put in force at `through`."""
    was = Plan(before)
    forms = {one.name: f"{one.name}@1" for one in new}
    renamed = [replace(one, name=forms[one.name], enter=referring(one.enter, forms)) for one in new]
    filling = Plan([*renamed, *before])
    after = Plan([*new, *(one for one in before if one.name not in forms)])
    live = ProfileState()
    for one in events:
        if one.accepted_at <= adopted:
            live = step(live, one, was).state
    filled = fill(live, [one for one in events if one.accepted_at <= adopted], filling)
    for one in events:
        if one.accepted_at > adopted:
            live, filled = step(live, one, was).state, step(filled, one, filling).state
    live = step(live, Passed(through), was).state
    return activate(
        live, filled, before=was, filling=filling, after=after, forms=forms, through=through
    )


def test_a_new_segment_is_complete_at_once() -> None:
    """Whoever is in it enters at her clock, a member since history says."""
    done = changed(
        [], [named("buyers", BOUGHT)], event("Buy", 10), event("Go", 50), adopted=20, through=900
    )

    assert lines(done.records) == ["50 entered buyers by time"]
    assert done.state.segments["buyers"].entered_at == 10
    [entered] = done.records
    assert isinstance(entered, Transition)
    assert (entered.origin, entered.evidence[0].events) == (Origin.DEFINITION, ((10, 10),))


def test_what_time_alone_has_changed_is_told_at_its_moment() -> None:
    """A moment between the clock and the activation counts, and is of the same origin."""
    done = changed([], [named("carts", LEFT)], event("Add", 10), adopted=20, through=500)

    assert lines(done.records) == ["110 entered carts by time"]
    assert [r.origin for r in done.records if isinstance(r, Transition)] == [Origin.DEFINITION]
    assert done.state.clock == 110


def test_only_what_differs_of_a_changed_segment_is_told() -> None:
    """Who stays keeps her entry; who is in it by one form only enters or leaves."""
    old, new = [named("s", BOUGHT)], [named("s", Performed(pattern=GO))]
    both = changed(old, new, event("Buy", 10), event("Go", 20), adopted=30, through=90)
    only_old = changed(old, new, event("Buy", 10), adopted=30, through=90)
    only_new = changed(old, new, event("Go", 20), adopted=15, through=90)

    assert (both.records, both.state.segments["s"].entered_at) == ([], 10)
    assert lines(only_old.records) == ["10 left s by time"]
    assert lines(only_new.records) == ["20 entered s by time"]


def test_what_refers_to_a_changed_segment_is_judged_again() -> None:
    """Its own form is as it was, and what follows for it is of the origin definition too."""
    before = [named("s", BOUGHT), named("others", Not(InSegment("s")))]
    new = [named("s", Performed(pattern=GO))]
    done = changed(before, new, event("Buy", 10), adopted=15, through=90)

    assert lines(done.records) == ["10 left s by time", "10 entered others by time"]
    assert {r.origin for r in done.records if isinstance(r, Transition)} == {Origin.DEFINITION}


def test_what_is_in_force_is_left_alone() -> None:
    """Segments that are neither new nor changed stand as they stood, with all they remember."""
    kept = named("kept", Performed(pattern=BUY, times=TWICE, within=1_000))
    events = [event("Buy", 10), event("Buy", 400), event("Go", 500)]
    alone = changed([kept], [], *events, adopted=200, through=500)
    beside = changed([kept], [named("buyers", BOUGHT)], *events, adopted=200, through=500)

    assert beside.state.segments["kept"] == alone.state.segments["kept"]
    assert lines(beside.records) == ["500 entered buyers by time"]
    after = step(beside.state, Passed(1_100), Plan([kept, named("buyers", BOUGHT)]))
    assert lines(after.records) == ["1010 left kept by time"]


def test_a_profile_without_history_is_judged_all_the_same() -> None:
    """What is kept of her may be older than the history that is."""
    live = step(ProfileState(), event("Go", 10), Plan([])).state
    never = named("never", Not(BOUGHT))
    filling = Plan([replace(never, name="never@1")])
    done = activate(
        live,
        fill(live, [], filling),
        before=Plan([]),
        filling=filling,
        after=Plan([never]),
        forms={"never": "never@1"},
        through=50,
    )

    assert lines(done.records) == ["10 entered never by time"]


def test_what_stood_there_once_does_not_count() -> None:
    """A segment of the same name that was removed before leaves nothing behind."""
    live = step(ProfileState(), event("Go", 10), Plan([])).state
    live.put("s", SegmentState(member=True, entered_at=3))
    filling = Plan([named("s@1", BOUGHT)])
    done = activate(
        live,
        fill(live, [event("Go", 10)], filling),
        before=Plan([]),
        filling=filling,
        after=Plan([named("s", BOUGHT)]),
        forms={"s": "s@1"},
        through=50,
    )

    assert (done.records, done.state.is_member("s")) == ([], False)


def test_members_are_those_of_a_simulation() -> None:
    """Random histories, adopted and put in force at any time, end as if it had always stood."""
    chance = random.Random(3)
    old = [named("carts", LEFT), named("seen", Performed(pattern=GO, within=150))]
    new = [
        named("carts", Abandoned(pattern=ADD, unless=BUY, after=60)),
        named("twice", Performed(pattern=BUY, times=TWICE, within=200)),
        named("idle", Not(InSegment("carts"))),
    ]
    for _ in range(300):
        times = sorted(chance.sample(range(1, 600), chance.randint(1, 12)))
        events = [event(chance.choice(["Add", "Buy", "Go"]), time) for time in times]
        adopted = chance.randint(0, 700)
        done = changed(old, new, *events, adopted=adopted, through=700)
        wanted = set[str]()
        told = simulate((("p", one) for one in events), Plan([*new, old[1]]), until=700)
        for _, record in told:
            if isinstance(record, Transition):
                (wanted.add if record.change.value == "entered" else wanted.discard)(record.segment)

        assert {name for name, s in done.state.segments.items() if s.member} == wanted
