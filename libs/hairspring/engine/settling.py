"""Settling: what was told of a segment and what is true of it are brought together at a clock."""

from hairspring.engine.evidence import evidence, groups_of
from hairspring.engine.records import Cause, Change, Origin, Transition
from hairspring.engine.segments import Segment
from hairspring.engine.state import ProfileState, SegmentState


def settle(
    state: ProfileState,
    segment: Segment,
    told: SegmentState,
    truth: SegmentState,
    clock: int,
    origin: Origin,
) -> list[Transition]:
    """Publishes the difference, keeps what was told, and has the segment judged again.

    `truth` is part of `state`; the clock is in milliseconds, UTC.
    """
    state.wake(segment.name, clock)
    if origin is Origin.DEFINITION and told.entered_at is None and truth.member:
        # Nothing was ever told of this segment, so its stay counts from when it really began.
        entered_at = truth.entered_at
        return [transition(state, segment, Change.ENTERED, clock, entered_at, origin)]
    if told.member == truth.member:
        date_standing(state, segment, told.entered_at, told.left_at)
        return []
    if truth.member:
        date_standing(state, segment, clock, told.left_at)
        return [transition(state, segment, Change.ENTERED, clock, clock, origin)]
    date_standing(state, segment, told.entered_at, clock)
    return [transition(state, segment, Change.LEFT, clock, told.entered_at, origin)]


def date_standing(
    state: ProfileState, segment: Segment, entered_at: int | None, left_at: int | None
) -> None:
    """Notes when a standing began, and when the one before ended (milliseconds, UTC)."""
    standing = state.segments[segment.name]
    state.segments[segment.name] = standing._replace(entered_at=entered_at, left_at=left_at)


def transition(
    state: ProfileState,
    segment: Segment,
    change: Change,
    at: int,
    entered_at: int | None,
    origin: Origin,
) -> Transition:
    """A transition at an instant (milliseconds, UTC) that no event and no moment caused."""
    found = evidence(segment, state, at, entering=change is Change.ENTERED)
    return Transition(
        segment=segment.name,
        version=segment.version,
        change=change,
        effective_at=at,
        cause=Cause(),
        origin=origin,
        entered_at=entered_at,
        evidence=found,
        groups=groups_of(found),
    )
