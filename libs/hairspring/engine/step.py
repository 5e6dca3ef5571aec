"""The one door: live evaluation, simulation, rebuilds and tests all come through here.

    step(state, input, plan) -> (state, records, alarm)

The instants of a profile are its events, and the moments at which an answer changes with no event.
Such a moment is found from the verdicts' `until`, never from when somebody happened to look: a
wake-up that comes early, twice or late makes no instant and changes nothing but when it is known.
A moment at which nothing changes after all leaves no trace, not even on the clock.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

from hairspring.engine.conditions.base import Unmoved
from hairspring.engine.events import Event, EventKind, too_old
from hairspring.engine.evidence import evidence, groups_of
from hairspring.engine.plan import Plan, Watch
from hairspring.engine.records import Cause, Change, Dropped, Held, Matched, Record, Transition
from hairspring.engine.segments import Outcome, Ruling, Segment, is_steady, judge, next_moment
from hairspring.engine.state import ProfileState, SegmentState
from hairspring.engine.streams import Run, Value, begun
from hairspring.engine.traits import merge


@dataclass(frozen=True, slots=True)
class Passed:
    """Says that everything accepted up to `through` (milliseconds, UTC) has been applied."""

    through: int


class Step(NamedTuple):
    """What a step came to.

    `alarm` is when the profile wants to be looked at next; where the state was bounded, and nothing
    was due, it may be earlier.
    """

    state: ProfileState
    records: list[Record]
    alarm: int | None


class StandingStill(RuntimeError):
    """A condition wants to be judged at the moment at which it was: a mistake in the engine."""


#: How a profile stands to a segment that has never been judged. Never changed.
UNJUDGED = SegmentState()
BY_TIME = Cause()


def step(
    state: ProfileState,
    given: Event | Passed,
    plan: Plan,
    *,
    lateness: int = 0,
    horizon: int | None = None,
) -> Step:
    """Applies one input to a profile.

    The state that is given is used up: go on with the one in the answer, and where what was
    decided cannot be committed, load it anew. `lateness` (milliseconds) is how long a moment
    waits for events still on their way. An event that lay beyond the `horizon` (milliseconds) when
    it was accepted is judged by nothing; without one, nothing does.
    """
    records: list[Record] = []
    if isinstance(given, Passed):
        _pass_moments(state, given.through - lateness + 1, plan, records)
        return Step(state, records, state.look_at())
    end = given.accepted_at - lateness
    _pass_moments(state, end if end > given.time else given.time, plan, records)
    if not too_old(given, horizon):
        watches = _apply(state, given, plan, records)
        floor = None if horizon is None else given.accepted_at - horizon
        for watch in watches:
            watch.memory.trim(state, state.clock or 0, floor)
    return Step(state, records, state.look_at())


def _pass_moments(state: ProfileState, end: int, plan: Plan, records: list[Record]) -> None:
    """Passes every moment before `end`, each at its own time."""
    passed = None
    while (soonest := state.soonest()) is not None and soonest < end:
        moment = state.alarm()
        if moment is None or moment >= end:
            return
        if passed is not None and moment <= passed:
            raise StandingStill(f"a verdict at {moment} ms is said to change by then, not later")
        passed = moment
        if _evaluate(state, moment, _due(state, moment, plan), set(), None, plan, records):
            state.clock = moment


def _due(state: ProfileState, t: int, plan: Plan) -> list[int]:
    """The segments that want to be judged; one that the plan has no more wants nothing."""
    return [plan.number[name] for name in state.take_due(t) if name in plan.number]


def _apply(state: ProfileState, event: Event, plan: Plan, records: list[Record]) -> list[Watch]:
    """Puts an event in its place and evaluates the profile; answers the streams that grew."""
    clock = state.clock
    t = event.time if clock is None or clock < event.time else clock
    soonest = state.soonest()
    ringing = soonest is not None and soonest <= t
    grown: list[Watch] = []
    touched: set[int] = set()
    if event.kind is EventKind.TRACK:
        # What becomes due at this very moment may change others that then have the event as cause.
        alone = not ringing and clock is not None and clock < event.time
        grown = _extend_streams(state, event, plan, touched, alone=alone)
        if event.name in plan.flow_events:
            records.append(Matched(event=event))
    else:
        merge(state, event)
        touched.update(plan.trait_readers)
    due: list[int] = []
    if clock is None:
        # At the first instant all others would be found to hold no more than of a stranger.
        due.extend(plan.at_birth)
        touched.update(due)
    elif ringing:
        due = _due(state, t, plan)
    if touched or due:
        _evaluate(state, t, due, touched, event, plan, records)
    state.clock = t
    if state.born_at is None:
        state.born_at = t
    return grown


def _extend_streams(
    state: ProfileState, event: Event, plan: Plan, touched: set[int], *, alone: bool
) -> list[Watch]:
    """Answers the streams that grew, and notes the segments that have to be judged for it.

    An event that is later than all others, with nothing else at its moment, is `alone`.
    """
    grown: list[Watch] = []
    for filtered in plan.filters(event):
        if filtered.predicate is not None and not filtered.predicate(event):
            continue
        for watch in filtered.watches:
            pattern, value = watch.pattern, None
            key = pattern.key
            if pattern.by is None and pattern.of is None:
                run = state.streams.get(key)
                if run is None:
                    run = state.streams[key] = Run([], [])
                run.insert(event.time, event.order)
            else:
                place = pattern.placed(event)
                if place is None:
                    continue
                group, value = place
                runs = state.streams
                if group is not None:
                    runs, key = state.keyed.setdefault(key, {}), group
                _run(runs, key, value).insert(event.time, event.order, value)
            grown.append(watch)
            for number, name, unmoved in watch.touches:
                known = state.segments.get(name, UNJUDGED)
                if not (alone and _stands(known, unmoved, value)):
                    touched.add(number)
    return grown


def _stands(known: SegmentState, unmoved: Unmoved, value: Value | None) -> bool:
    """Tells that the answer is what it was; one with a rise that waits is judged."""
    if known.rise_at is not None or known.member != known.enter_held:
        return False
    if known.enter_held:
        stands = unmoved.holding
    else:
        stands = unmoved.failing if known.until is None else unmoved.pending
    return stands and (not unmoved.from_zero or (isinstance(value, float) and value >= 0.0))


def _run(runs: dict[str, Run], key: str, value: Value | None) -> Run:
    run = runs.get(key)
    if run is None:
        run = runs[key] = begun(value)
    return run


def _evaluate(
    state: ProfileState,
    t: int,
    due: list[int],
    caused: set[int],
    event: Event | None,
    plan: Plan,
    records: list[Record],
) -> bool:
    """Judges the segments named, and those that refer to one that changed, each once and after
    what it refers to. Those in `caused`, which is used up, are so by the event, the others by time.
    Tells whether any answer changed.
    """
    changed = False
    queue = sorted(caused.union(due)) if due else sorted(caused)
    while queue:
        number = heappop(queue)
        segment = plan.segments[number]
        before = state.segments.get(segment.name, UNJUDGED)
        enter = segment.enter.verdict(state, t)
        leave = segment.exit.verdict(state, t) if segment.exit is not None else None
        if is_steady(segment, before, t, enter, leave):
            until = enter.until
            if not segment.plain:
                until = next_moment(segment, before, t, enter, leave)
            if until != before.until:
                if before is UNJUDGED:
                    state.put(segment.name, SegmentState(until=until))
                else:
                    state.wake(segment.name, until)
            continue
        by = event if number in caused else None
        age = by.accepted_at - by.time if by is not None else None
        ruling = judge(segment, before, t, enter, leave, age)
        if ruling.state != before:
            state.put(segment.name, ruling.state)
            changed = changed or ruling.state.answers() != before.answers()
        if ruling.outcome is not None:
            why = BY_TIME if by is None else Cause(event=by, late=by.time < t)
            records.append(_record(state, segment, ruling, t, why))
        if ruling.state.member != before.member:
            for dependent in plan.dependents[number]:
                if number in caused:
                    caused.add(dependent)
                if dependent not in queue:  # which are few, and come after this one
                    heappush(queue, dependent)
    return changed


def _record(state: ProfileState, segment: Segment, ruling: Ruling, t: int, cause: Cause) -> Record:
    if ruling.outcome is Outcome.HELD:
        return Held(segment=segment.name, rise_at=t, reason=ruling.reason, until=ruling.until)
    if ruling.outcome is Outcome.DROPPED:
        return Dropped(segment=segment.name, rise_at=t, reason=ruling.reason)
    entered = ruling.outcome is Outcome.ENTERED
    found = evidence(segment, state, t, entering=entered)
    return Transition(
        segment=segment.name,
        version=segment.version,
        change=Change.ENTERED if entered else Change.LEFT,
        effective_at=t,
        cause=cause,
        entered_at=ruling.state.entered_at,
        evidence=found,
        groups=groups_of(found),
    )
