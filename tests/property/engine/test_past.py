"""How a profile stood once is what was recorded of it then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random

from hairspring.engine.evidence import Explanation
from hairspring.engine.explain import account
from hairspring.engine.past import (
    Entry,
    InForce,
    Told,
    as_known,
    by_hindsight,
    decided_by,
    decided_in_time,
    judged,
    known_at,
    rebuilt_in_time,
)
from hairspring.engine.plan import Plan
from hairspring.engine.records import Change, Origin, Transition
from hairspring.engine.simulate import Finished, Imported, simulate_accepted
from hairspring.engine.state import ProfileState

from tests.property.engine import translated, worlds
from tests.property.engine.profiles import property_test
from tests.property.engine.worlds import END


def leaves(parts: Iterable[Explanation]) -> dict[str, tuple[tuple[int, int], ...]]:
    """The events of each condition without parts, by its path."""
    found = {}
    for part in parts:
        found.update(leaves(part.parts) if part.parts else {part.path: part.events})
    return found


def check(told: Transition, plan: Plan, state: ProfileState) -> None:
    """The account of a past state names what the transition's evidence does."""
    segment = plan.segments[plan.number[told.segment]]
    found = leaves(account(segment, state, told.effective_at).conditions)
    assert {one.path: found[one.path] for one in told.evidence} == {
        one.path: one.events for one in told.evidence
    }


def last_ones(told: Iterable[Transition]) -> Iterable[Transition]:
    """Of each segment and instant the last transition."""
    return {(one.segment, one.effective_at): one for one in told}.values()


@property_test
def test_every_recorded_transition_is_explained_by_its_evidence(random: Random) -> None:
    """Going back to when a transition was decided names exactly the events that it recorded."""
    world = worlds.as_accepted(random)
    lateness, horizon = random.choice((0, 0, 1, 3)), random.choice((None, None, 4, 8))
    plan = translated.plan(world.segments)
    entries: list[Entry] = [translated.event(event) for event in world.events]
    plans = [InForce(since=0, plan=plan)]
    log = [("ada", entry) for entry in entries]
    records = simulate_accepted(log, plan, until=END, lateness=lateness, horizon=horizon)

    for told in last_ones(t.record for t in records if isinstance(t.record, Transition)):
        cause, at = told.cause.event, told.effective_at
        known = (
            decided_in_time(
                entries,
                plans,
                Told(segment=told.segment, change=told.change, at=at),
                lateness=lateness,
                horizon=horizon,
            )
            if cause is None
            else decided_by(entries, cause.order)
        )
        state = as_known(
            known,
            plans,
            at=at,
            lateness=lateness,
            horizon=horizon,
            cause=None if cause is None else cause.order,
        )
        check(told, plan, state)
        assert state.is_member(told.segment) == (told.change.value == "entered")


@property_test
def test_the_log_up_to_a_moment_is_enough_where_nothing_is_late(random: Random) -> None:
    """At its own moment, a transition is explained by what was accepted up to it."""
    world = worlds.in_order(random)
    plan = translated.plan(world.segments)
    entries: list[Entry] = [translated.event(event) for event in world.events]
    records = simulate_accepted([("ada", e) for e in entries], plan, until=END)
    alone = [e for e in entries if [o.time for o in entries].count(e.time) == 1]  # type: ignore[union-attr]

    for told in last_ones(t.record for t in records if isinstance(t.record, Transition)):
        at, cause = told.effective_at, told.cause.event
        if cause is not None and cause not in alone:
            continue
        if cause is None and any(e.time == at for e in entries):  # type: ignore[union-attr]
            continue
        check(told, plan, as_known(known_at(entries, at), [InForce(since=0, plan=plan)], at=at))
        check(told, plan, by_hindsight(judged(entries, None), plan, at=at))


@property_test
def test_imports_are_known_from_their_end_on(random: Random) -> None:
    """A past state is the one that live evaluation had, imports and changes of plans included."""
    world = worlds.as_accepted(random)
    plan = translated.plan(world.segments)
    entries: list[Entry] = []
    for event in map(translated.event, world.events):
        entries.append(Imported(event, "i") if random.random() < 0.4 else event)
    if random.random() < 0.7:
        entries.append(Finished("i", max([e.accepted_at for e in world.events], default=0)))
    records = simulate_accepted([("ada", e) for e in entries], plan, until=END)
    entries_less_leavings: Counter[str] = Counter()
    for one in records:
        if isinstance(one.record, Transition):
            entered = one.record.change is Change.ENTERED
            entries_less_leavings[one.record.segment] += 1 if entered else -1

    state = as_known(entries, [InForce(since=0, plan=plan)], at=END)

    assert {name for name, count in entries_less_leavings.items() if count} == {
        segment.name for segment in plan.segments if state.is_member(segment.name)
    }


@property_test
def test_imported_transitions_are_explained_by_hindsight(random: Random) -> None:
    """What an import told of the past has the evidence that its history gives in order of time."""
    world = worlds.in_order(random)
    horizon = random.choice((None, None, 4, 8))
    plan = translated.plan(world.segments)
    events = [translated.event(event) for event in world.events]
    entries: list[Entry] = [*(Imported(event, "i") for event in events), Finished("i", END)]
    log = [("ada", entry) for entry in entries]
    records = simulate_accepted(log, plan, until=END, horizon=horizon)

    for told in last_ones(t.record for t in records if isinstance(t.record, Transition)):
        assert told.origin is Origin.IMPORT
        cause = told.cause.event
        known = judged(entries, horizon)
        if cause is None:
            by_time = Told(segment=told.segment, change=told.change, at=told.effective_at)
            known = rebuilt_in_time(known, plan, by_time, horizon=horizon)
        state = by_hindsight(
            known,
            plan,
            at=told.effective_at,
            horizon=horizon,
            cause=None if cause is None else cause.order,
        )
        check(told, plan, state)


@property_test
def test_a_changed_plan_is_adopted_where_it_came(random: Random) -> None:
    """Under a plan that replaces an equal one, the conditions answer as if nothing had happened."""
    world = worlds.in_order(random)
    plan = translated.plan(world.segments)
    entries: list[Entry] = [translated.event(event) for event in world.events]
    since = random.randint(0, END)

    plans = [InForce(since=0, plan=plan), InForce(since=since, plan=plan)]

    state = as_known(entries, plans, at=END)
    plain = as_known(entries, plans[:1], at=END)

    for segment in plan.segments:
        changed, same = (account(segment, one, END) for one in (state, plain))
        assert (changed.member, leaves(changed.conditions)) == (
            same.member,
            leaves(same.conditions),
        )
