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
from hairspring.engine.streams import Run, Value
from hairspring.engine.traits import merge


@dataclass(frozen=True, slots=True)
class Passed:
    """Says that everything accepted up to `through` (milliseconds, UTC) has been applied."""

    through: int


class Step(NamedTuple):
    """What a step came to; `alarm` is when the profile wants to be looked at next."""

    state: ProfileState
    records: list[Record]
    alarm: int | None


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
        alarm = _pass_moments(state, given.through - lateness + 1, plan, records)
        return Step(state, records, alarm)
    end = given.accepted_at - lateness
    alarm = _pass_moments(state, end if end > given.time else given.time, plan, records)
    if too_old(given, horizon):
        return Step(state, records, alarm)
    watches = _apply(state, given, plan, records, alarm)
    clock, floor = state.clock or 0, None if horizon is None else given.accepted_at - horizon
    for watch in watches:
        watch.memory.trim(state, clock, floor)
    return Step(state, records, state.alarm())


def _pass_moments(state: ProfileState, end: int, plan: Plan, records: list[Record]) -> int | None:
    """Passes every moment before `end`, each at its own time; answers the next one."""
    while (moment := state.alarm()) is not None and moment < end:
        if _evaluate(state, moment, _due(state, moment, plan), set(), BY_TIME, plan, records):
            state.clock = moment
    return moment


def _due(state: ProfileState, t: int, plan: Plan) -> list[int]:
    """The segments that want to be judged; one that the plan has no more wants nothing."""
    return [plan.number[name] for name in state.take_due(t) if name in plan.number]


def _apply(
    state: ProfileState, event: Event, plan: Plan, records: list[Record], alarm: int | None
) -> list[Watch]:
    """Puts an event in its place and evaluates the profile; answers the streams that grew."""
    late = state.clock is not None and event.time < state.clock
    t = state.clock if late and state.clock is not None else event.time
    grown: list[Watch] = []
    touched: set[int] = set()
    if event.kind is EventKind.TRACK:
        grown = _extend_streams(state, event, plan, touched)
        if event.name in plan.flow_events:
            records.append(Matched(event=event))
    else:
        merge(state, event)
        touched.update(plan.trait_readers)
    due: list[int] = []
    if state.clock is None:
        # At the first instant all others would be found to hold no more than of a stranger.
        due.extend(plan.at_birth)
        touched.update(due)
    elif alarm is not None and alarm <= t:
        due = _due(state, t, plan)
    if touched or due:
        _evaluate(state, t, due, touched, Cause(event=event, late=late), plan, records)
    state.clock = t
    if state.born_at is None:
        state.born_at = t
    return grown


def _extend_streams(
    state: ProfileState, event: Event, plan: Plan, touched: set[int]
) -> list[Watch]:
    """Answers the streams that grew, and notes the segments that have to be judged for it."""
    grown: list[Watch] = []
    latest = state.clock is not None and event.time > state.clock
    for filtered in plan.filters(event):
        if filtered.predicate is not None and not filtered.predicate(event):
            continue
        for watch in filtered.watches:
            pattern, value = watch.pattern, None
            key = pattern.key
            if pattern.by is None and pattern.of is None:
                _run(state.streams, key).insert(event.time, event.order)
            else:
                place = pattern.placed(event)
                if place is None:
                    continue
                group, value = place
                runs = state.streams
                if group is not None:
                    runs, key = state.keyed.setdefault(key, {}), group
                _run(runs, key).insert(event.time, event.order, value)
            grown.append(watch)
            for number, name, unmoved in watch.touches:
                known = state.segments.get(name) if latest else None
                if known is None or not _stands(known, unmoved, event.time, value):
                    touched.add(number)
    return grown


def _stands(known: SegmentState, unmoved: Unmoved, t: int, value: Value | None) -> bool:
    """Tells that the answer is what it was; one that is due or has a rise waiting is judged."""
    until = known.until
    if known.rise_at is not None or (until is not None and until <= t):
        return False
    if known.enter_held:
        stands = unmoved.holding
    elif known.member:
        return False
    else:
        stands = unmoved.failing if until is None else unmoved.pending
    return stands and (not unmoved.from_zero or (isinstance(value, float) and value >= 0.0))


def _run(runs: dict[str, Run], key: str) -> Run:
    run = runs.get(key)
    if run is None:
        run = runs[key] = Run()
    return run


def _evaluate(
    state: ProfileState,
    t: int,
    due: list[int],
    caused: set[int],
    cause: Cause,
    plan: Plan,
    records: list[Record],
) -> bool:
    """Judges the segments named, and those that refer to one that changed, each once and after
    what it refers to. Those in `caused`, which is used up, have the cause given, the others change
    by time. Tells whether any answer changed.
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
        why = cause if number in caused else BY_TIME
        age = why.event.accepted_at - why.event.time if why.event is not None else None
        ruling = judge(segment, before, t, enter, leave, age)
        if ruling.state != before:
            state.put(segment.name, ruling.state)
            changed = changed or ruling.state.answers() != before.answers()
        if ruling.outcome is not None:
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
