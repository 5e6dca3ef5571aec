"""Filling: new forms of segments are judged in silence, beside what is in force, until they count.

A form that is being filled has a state of its own, folded from the recorded history in event time
and then from every event as it comes. It is a function of the log alone, and nothing that is in
force can see it. Once all profiles have theirs, the forms are put in force: at a profile's clock
what was told so far and what the new forms say are compared, and the difference is published.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from hairspring.engine.events import Event
from hairspring.engine.plan import Plan, references
from hairspring.engine.records import Origin, Record, Transition
from hairspring.engine.settling import settle
from hairspring.engine.state import ProfileState, SegmentState
from hairspring.engine.step import UNJUDGED, Passed, Step, step
from hairspring.engine.streams import Run

Kept = TypeVar("Kept")


def fill(
    live: ProfileState, history: Iterable[Event], plan: Plan, *, horizon: int | None = None
) -> ProfileState:
    """Folds the history of a profile, in silence, by the plan of what is being filled.

    In the fold each event counts as accepted at its own time, so the history is without the live
    events that were too old when they came. `horizon` is as in `step`. Traits are taken over from
    the state in force: they may be older than the history that is kept.
    """
    events = [event._replace(accepted_at=event.time) for event in history]
    events.sort(key=lambda event: (event.time, event.order))
    state = ProfileState()
    for event in events:
        state, _, _ = step(state, event, plan, horizon=horizon)
    state.traits, state.tags = dict(live.traits), dict(live.tags)
    return state


def activate(
    live: ProfileState,
    filled: ProfileState,
    *,
    before: Plan,
    filling: Plan,
    after: Plan,
    forms: Mapping[str, str],
    through: int,
) -> Step:
    """Puts the forms that were filled in force, for one profile.

    `live` is the state by the plan `before`, which has passed every moment up to `through`
    (milliseconds, UTC); `filled` the one by the plan `filling`. `forms` names the filled form of
    each segment that is new or changed in the plan `after`. Both states are used up.

    What differs is published at the profile's clock; what time alone has changed between the clock
    and `through`, at its own moment; segments that refer to a changed one are judged again.
    Everything is of the origin `definition`.
    """
    clock = max((c for c in (live.clock, filled.clock) if c is not None), default=None)
    if clock is None:
        return Step(live, [], live.alarm())
    filled, _, _ = step(filled, Passed(clock), filling)
    told = {
        name: live.segments[name]
        for name in forms
        if name in before.number and name in live.segments
    }
    live.clock = clock
    _take_streams(live, filled, before, after)
    for name in [n for n in live.segments if n in forms or n not in after.number]:
        del live.segments[name]
    records: list[Record] = []
    for name in forms:
        if (truth := filled.segments.get(forms[name])) is not None:
            live.put(name, truth)
        elif name in told or filled.clock is None or references(after.segments[after.number[name]]):
            live.put(name, SegmentState())
        # Otherwise it was judged, and stands as in a fresh state.
    for segment in after.segments:
        if segment.name in forms and segment.name in live.segments:
            was, truth = told.get(segment.name, UNJUDGED), live.segments[segment.name]
            _wake_dependents(live, after, segment.name, clock, changed=was.member != truth.member)
            records += settle(live, segment, was, truth, clock, Origin.DEFINITION)
    live, found, alarm = step(live, Passed(max(through, clock)), after)
    return Step(live, [*records, *map(_marked, found)], alarm)


def _wake_dependents(
    state: ProfileState, plan: Plan, name: str, clock: int, *, changed: bool
) -> None:
    if not changed:
        return
    for number in plan.dependents[plan.number[name]]:
        dependent = plan.segments[number].name
        if dependent in state.segments:
            state.wake(dependent, clock)
        else:
            state.put(dependent, SegmentState(until=clock))


def _marked(record: Record) -> Record:
    if isinstance(record, Transition):
        return replace(record, origin=Origin.DEFINITION)
    return record


def _take_streams(live: ProfileState, filled: ProfileState, before: Plan, after: Plan) -> None:
    """Takes over the streams that only the new forms read, joins those that both do, and drops
    what nobody reads any more.

    A stream in which something is folded away is whole for all who read it, so it stays.
    """
    _replace(live.streams, filled.streams, before, after)
    _replace(live.keyed, filled.keyed, before, after)
    _replace(live.folded, filled.folded, before, after)
    for key in after.streams & before.streams:
        if key in live.folded or key in filled.folded:
            continue
        if key in filled.streams:
            _join(live.streams, key, filled.streams[key])
        for group, run in filled.keyed.get(key, {}).items():
            _join(live.keyed.setdefault(key, {}), group, run)


def _replace(live: dict[str, Kept], filled: Mapping[str, Kept], before: Plan, after: Plan) -> None:
    """Takes over what is new, and keeps nothing that may stand there from an earlier time."""
    for key in [key for key in live if key not in after.streams or key not in before.streams]:
        del live[key]
    for key in after.streams - before.streams:
        if key in filled:
            live[key] = filled[key]


def _join(runs: dict[str, Run], key: str, other: Run) -> None:
    """Adds the events of another run that are missing."""
    run = runs.setdefault(key, Run([], [], None if other.values is None else []))
    for index, (time, order) in enumerate(other.references(0, len(other.times))):
        place = run.after(time, order)
        if place and (run.times[place - 1], run.orders[place - 1]) == (time, order):
            continue
        run.insert(time, order, None if other.values is None else other.values[index])
