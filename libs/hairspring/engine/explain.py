"""Why a profile is in a segment, or is not."""

from collections.abc import Iterator
from dataclasses import dataclass

from hairspring.engine.durations import words
from hairspring.engine.evidence import Explanation, explain
from hairspring.engine.segments import Segment, judge
from hairspring.engine.state import ProfileState
from hairspring.engine.step import UNJUDGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How a profile stands to a segment at a moment. Times in milliseconds, UTC."""

    member: bool
    entered_at: int | None
    left_at: int | None
    until: int | None  #: When that could change with no event.
    remark: str  #: What stands in the way, in words; empty where nothing does.
    conditions: tuple[Explanation, ...]


def account(segment: Segment, profile: ProfileState, t: int) -> Account:
    """Explains a membership at t, behind the last moment that was passed."""
    state = profile.segments.get(segment.name, UNJUDGED)
    enter = segment.enter.verdict(profile, t)
    leave = segment.exit.verdict(profile, t) if segment.exit is not None else None
    conditions = [explain(segment.enter, "enter", profile, t)]
    if segment.exit is not None:
        conditions.append(explain(segment.exit, "exit", profile, t))
    return Account(
        member=state.member,
        entered_at=state.entered_at,
        left_at=state.left_at,
        until=judge(segment, state, t, enter, leave, None).state.until,
        remark=_remark(segment, profile, t, enter.holds, leave is not None and leave.holds),
        conditions=tuple(conditions),
    )


def references(found: Account) -> set[int]:
    """The orders of all events that an account names."""

    def walk(parts: tuple[Explanation, ...]) -> Iterator[int]:
        for part in parts:
            yield from (order for _, order in part.events)
            yield from walk(part.parts)

    return set(walk(found.conditions))


def _remark(
    segment: Segment, profile: ProfileState, t: int, enter_holds: bool, exit_holds: bool
) -> str:
    state = profile.segments.get(segment.name, UNJUDGED)
    if profile.clock is None:
        return "nothing was ever recorded of this profile"
    if state.member:
        if segment.stay is not None and state.entered_at is not None:
            rest = state.entered_at + segment.stay - t
            return f"stays {words(segment.stay)} after entering, {words(rest)} of it left"
        return ""
    if not enter_holds:
        return ""
    if exit_holds:
        return "`exit` holds, so nobody enters"
    cool = (state.left_at or 0) + (segment.cooldown or 0)
    if state.left_at is not None and segment.cooldown is not None and t < cool:
        return f"left {words(t - state.left_at)} ago, cannot enter again for {words(cool - t)}"
    if state.rise_at is None:
        return "`enter` has held without a break since she left, or its rise was used up"
    return ""
