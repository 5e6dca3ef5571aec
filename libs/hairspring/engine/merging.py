"""Merging: two profiles become one at an instant, by a link between their ids.

The one that ends (`part`) is judged up to that instant, then leaves every segment it is in. The one
that goes on (`merge`) is folded anew from the history of both, as if one person had always sent all
of it, and what differs from what was told of either is published at that instant:

| told of this one | of the other | both say | published                                           |
| ---------------- | ------------ | -------- | --------------------------------------------------- |
| in               | in           | in       | nothing; the older entry counts                     |
| in               | out          | in       | nothing                                             |
| out              | in           | in       | entered, by the entry of the other: it only moved   |
| out              | out          | in       | entered: it is new                                  |
| in               | any          | out      | left                                                |
| out              | any          | out      | nothing                                             |
"""

from collections.abc import Iterable
from dataclasses import replace

from hairspring.engine.events import Event
from hairspring.engine.plan import Plan
from hairspring.engine.rebuild import HistoryFold
from hairspring.engine.records import Cause, Change, Merged, Origin, Record, Transition
from hairspring.engine.segments import Segment
from hairspring.engine.settling import date_standing, transition
from hairspring.engine.state import ProfileState, SegmentState
from hairspring.engine.step import UNJUDGED, Passed, Step, step


def part(state: ProfileState, plan: Plan, *, at: int, lateness: int = 0, into: str = "") -> Step:
    """Ends a profile that becomes part of `into` at an instant (milliseconds, UTC).

    The state is used up; the one in the answer is that of somebody unknown. `lateness` is as in
    `step`: the instant is that of an event, so all moments before it are passed.
    """
    state, records, _ = step(state, Passed(at - 1 + lateness), plan, lateness=lateness)
    for segment in plan.segments:
        known = state.segments.get(segment.name, UNJUDGED)
        if known.member:
            records.append(
                Transition(
                    segment=segment.name,
                    version=segment.version,
                    change=Change.LEFT,
                    effective_at=at,
                    cause=Cause(),
                    origin=Origin.MERGE,
                    entered_at=known.entered_at,
                    merged_with=into,
                )
            )
    return Step(ProfileState(), records, None)


def merge(
    before: ProfileState,
    other: ProfileState,
    history: Iterable[Event],
    plan: Plan,
    *,
    at: int,
    former: str,
    lateness: int = 0,
    horizon: int | None = None,
) -> Step:
    """Takes `other`, the profile `former`, into this one at an instant (milliseconds, UTC).

    `before` and `other` are the states until then; both are used up. `history` is that of both: as
    in `rebuild`, without the live events that were too old when they came. `lateness` and `horizon`
    are as in `step`.
    """
    end = Passed(at - 1 + lateness)
    before, records, _ = step(before, end, plan, lateness=lateness)
    other, _, _ = step(other, end, plan, lateness=lateness)
    fold = HistoryFold.over(history, plan, Origin.MERGE, horizon)
    fold.forward(at)
    clocks = [one.clock for one in (before, other, fold.state) if one.clock is not None]
    if not clocks:
        return Step(before, records, before.alarm())
    found, older = _reconcile(fold.state, before, other, plan, at, former)
    found += fold.forward(at)
    state = fold.state
    changed = any(isinstance(record, Transition) for record in found)
    state.clock = at if changed else max(clocks)
    state.born_at = min(
        (one.born_at for one in (before, other) if one.born_at is not None), default=None
    )
    records += [*found, Merged(former=former, at=at, entered=tuple(older))]
    return Step(state, records, state.alarm())


def _reconcile(
    state: ProfileState, before: ProfileState, other: ProfileState, plan: Plan, at: int, former: str
) -> tuple[list[Record], list[tuple[str, int]]]:
    """What is published, and the memberships that count from an older entry."""
    records: list[Record] = []
    older: list[tuple[str, int]] = []
    for segment in plan.segments:
        mine = before.segments.get(segment.name, UNJUDGED)
        theirs = other.segments.get(segment.name, UNJUDGED)
        truth = state.segments.get(segment.name)
        if truth is None:
            if mine is theirs:  # of neither was anything told
                continue
            truth = SegmentState()
            state.put(segment.name, truth)
        told = _joined(mine, theirs)
        records += _settle(state, segment, mine, theirs, told, truth, at, former)
        if mine.member and truth.member and told.entered_at not in (None, mine.entered_at):
            older.append((segment.name, told.entered_at or 0))
    return records, older


def _joined(mine: SegmentState, theirs: SegmentState) -> SegmentState:
    """What was told of the person that both are: in by the older entry, out since the later one."""
    inside = [one for one in (mine, theirs) if one.member]
    entries = [one.entered_at for one in inside or (mine, theirs) if one.entered_at is not None]
    leavings = [one.left_at for one in (mine, theirs) if one.left_at is not None]
    entered_at = (min(entries) if inside else max(entries)) if entries else None
    return SegmentState(
        member=bool(inside), entered_at=entered_at, left_at=max(leavings, default=None)
    )


def _settle(
    state: ProfileState,
    segment: Segment,
    mine: SegmentState,
    theirs: SegmentState,
    told: SegmentState,
    truth: SegmentState,
    at: int,
    former: str,
) -> list[Transition]:
    """Publishes by the table above, keeps what was told, and has the segment judged again."""
    state.wake(segment.name, at)
    if truth.member:
        entered_at = told.entered_at if told.member else at
        date_standing(state, segment, entered_at, told.left_at)
        if mine.member:
            return []
        entered = transition(state, segment, Change.ENTERED, at, entered_at, Origin.MERGE)
        return [replace(entered, merged_with=former if theirs.member else "")]
    date_standing(state, segment, told.entered_at, at if told.member else told.left_at)
    if not mine.member:
        return []
    return [transition(state, segment, Change.LEFT, at, mine.entered_at, Origin.MERGE)]
