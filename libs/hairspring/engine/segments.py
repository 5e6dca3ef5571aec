"""Segments: how a rise becomes a membership, and a membership ends.

    rise    `enter` holds and did not at the instant before; it stands while `enter` goes on holding
    enter   the first instant at which a rise stands, `exit` does not hold, the cooldown has passed
    leave   `exit` holds (without one: `enter` does not), or the stay has passed

| was    | a rise stands | blocked by    | leaves | becomes                                       |
| ------ | ------------- | ------------- | ------ | --------------------------------------------- |
| out    | no            |               |        | out                                           |
| out    | yes           | exit/cooldown |        | out, the rise is held                         |
| out    | yes           | nothing       |        | in: ENTERED, the rise is used up              |
| in     |               |               | no     | in                                            |
| in     |               |               | yes    | out: LEFT, a rise older than this is wiped out |

A rise of the very instant of leaving is not older than it, so it still stands. One evaluation
changes a membership at most once, so such a rise counts from the next millisecond on, also where
more events come in the same millisecond.
"""

from dataclasses import dataclass, field
from enum import Enum

from hairspring.engine.conditions.base import Condition
from hairspring.engine.state import SegmentState
from hairspring.engine.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment as it was defined; durations in milliseconds."""

    name: str
    enter: Condition
    exit: Condition | None = None
    stay: int | None = None
    cooldown: int | None = None
    max_event_age: int | None = None
    description: str = ""
    version: int = 0  #: The plan version that brought it in this form.
    plain: bool = field(init=False, compare=False, repr=False)
    """Whether members leave by `enter` alone."""

    def __post_init__(self) -> None:
        """Works out what is asked at every event."""
        object.__setattr__(self, "plain", self.exit is None and self.stay is None)


class Outcome(Enum):
    """What an evaluation can do besides changing nothing."""

    ENTERED = "entered"  #: The profile became a member.
    LEFT = "left"  #: The profile is no longer a member.
    HELD = "held"  #: A rise has to wait.
    DROPPED = "dropped"  #: A rise was used up without an entry.


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What judging a segment at an instant came to."""

    state: SegmentState
    outcome: Outcome | None = None
    reason: str = ""
    until: int | None = None  #: For a held rise: how long at least.


def judge(
    segment: Segment,
    before: SegmentState,
    t: int,
    enter: Verdict,
    leave: Verdict | None,
    event_age: int | None,
) -> Ruling:
    """Applies the table above at the instant t (milliseconds, UTC).

    `leave` is the verdict of `exit`, where there is one; `event_age` is how much older than its
    acceptance the causing event is, where one causes this evaluation.
    """
    rises = enter.holds and not before.enter_held
    limit = segment.max_event_age
    dropped = rises and limit is not None and event_age is not None and event_age > limit
    rise_at = before.rise_at if enter.holds else None
    if rises:
        rise_at = None if dropped else t
    member, entered_at, left_at = before.member, before.entered_at, before.left_at
    outcome, reason, held_until = Outcome.DROPPED if dropped else None, "max_event_age", None
    if member:
        if _leaves(segment, before, t, enter, leave):
            outcome = Outcome.LEFT
            member, left_at = False, t
            rise_at = rise_at if rise_at == t else None
    elif rise_at is not None:
        reason, held_until = _block(segment, rise_at, left_at, t, leave, rises)
        if not reason:
            outcome = Outcome.ENTERED
            member, entered_at, rise_at = True, t, None
        elif rises:
            outcome = Outcome.HELD
    after = SegmentState(member, entered_at, left_at, enter.holds, rise_at)
    after = after.looked_at(next_moment(segment, after, t, enter, leave))
    return Ruling(state=after, outcome=outcome, reason=reason, until=held_until)


def _leaves(
    segment: Segment, state: SegmentState, t: int, enter: Verdict, leave: Verdict | None
) -> bool:
    if segment.stay is not None and t >= (state.entered_at or 0) + segment.stay:
        return True
    return leave.holds if leave is not None else not enter.holds


def _block(
    segment: Segment,
    rise_at: int,
    left_at: int | None,
    t: int,
    leave: Verdict | None,
    rises: bool,
) -> tuple[str, int | None]:
    """What keeps a standing rise from becoming an entry at t, and until when at least."""
    if not rises and rise_at == left_at == t:
        return "left", t + 1
    if leave is not None and leave.holds:
        return "exit", leave.until
    cool = _cool_at(segment, left_at)
    return ("cooldown", cool) if cool is not None and t < cool else ("", None)


def _cool_at(segment: Segment, left_at: int | None) -> int | None:
    if segment.cooldown is None or left_at is None:
        return None
    return left_at + segment.cooldown


def is_steady(
    segment: Segment, state: SegmentState, t: int, enter: Verdict, leave: Verdict | None
) -> bool:
    """Tells that judging changes nothing but the next moment, as it mostly does."""
    if enter.holds != state.enter_held or state.rise_at is not None:
        return False
    if segment.plain:
        return enter.holds or not state.member
    return not state.member or not _leaves(segment, state, t, enter, leave)


def next_moment(
    segment: Segment, state: SegmentState, t: int, enter: Verdict, leave: Verdict | None
) -> int | None:
    """The next moment at which this segment wants to be judged with no new event."""
    until = enter.until
    if state.member:
        if leave is not None:
            until = _earlier(until, leave.until)
        if segment.stay is not None and state.entered_at is not None:
            until = _earlier(until, state.entered_at + segment.stay)
    elif state.rise_at is not None:
        blocked_by_exit = leave is not None and leave.holds
        cool = _cool_at(segment, state.left_at)
        if leave is not None:
            until = _earlier(until, leave.until)
        if cool is not None and cool > t:
            until = _earlier(until, cool)
        elif not blocked_by_exit:
            until = _earlier(until, t + 1)
    return until


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
