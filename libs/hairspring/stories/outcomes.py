"""Outcomes: what came of a story, as the engine recorded it."""

from dataclasses import dataclass
from enum import StrEnum

from hairspring.engine.events import EventKind
from hairspring.engine.records import Cause, Dropped, Held, Transition
from hairspring.engine.simulate import Told

BY_TIME = "time"
BY_TRAITS = "traits"


class OutcomeType(StrEnum):
    """What can come of events for a profile and a segment."""

    ENTERED = "entered"  #: It became a member.
    LEFT = "left"  #: It is no longer one.
    HELD = "held"  #: A rise has to wait.
    DROPPED = "dropped"  #: A rise was used up without an entry.


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Something that came of a story at `at` (milliseconds, UTC)."""

    at: int
    profile: str
    type: OutcomeType
    segment: str
    late: bool = False
    cause: str = ""  #: As in an expectation; empty for what is held or dropped.
    reason: str = ""
    groups: tuple[str, ...] = ()  #: As JSON, in order.


def outcome(told: Told) -> Outcome | None:
    """The outcome that a record tells; None for those that concern no segment."""
    match told.record:
        case Transition() as record:
            return Outcome(
                at=record.effective_at,
                profile=told.profile,
                type=OutcomeType(record.change.value),
                segment=record.segment,
                late=record.cause.late,
                cause=_cause(record.cause),
                groups=tuple(sorted(record.groups)),
            )
        case Held() as record:
            kind = OutcomeType.HELD
        case Dropped() as record:
            kind = OutcomeType.DROPPED
        case _:
            return None
    return Outcome(
        at=record.rise_at,
        profile=told.profile,
        type=kind,
        segment=record.segment,
        reason=record.reason,
    )


def _cause(cause: Cause) -> str:
    if cause.event is None:
        return BY_TIME
    return cause.event.name if cause.event.kind is EventKind.TRACK else BY_TRAITS
