"""A story: events, and what is expected of them."""

from dataclasses import dataclass, field

from hairspring.engine.events import Event
from hairspring.engine.plan import Plan
from hairspring.stories.outcomes import OutcomeType


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Something that has to come of the events at `at` (milliseconds, UTC).

    What is None is not asked for.
    """

    at: int
    profile: str
    type: OutcomeType
    segment: str
    late: bool = False
    cause: str | None = None  #: The name of the event, `time`, or `traits`.
    reason: str | None = None  #: Why a rise was held or dropped.
    groups: tuple[str, ...] | None = None  #: The groups of `by`, as JSON, in order.


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A story that was read; times in milliseconds since the epoch, UTC."""

    name: str
    path: str
    line: int
    plan: Plan = field(repr=False)
    starts: int  #: The midnight that begins the first day.
    events: tuple[tuple[str, Event], ...]  #: With their profiles, in the order of acceptance.
    expected: tuple[Expectation, ...]
    segments: frozenset[str]  #: What is looked at; the others may do as they like.
    until: int | None = None
    lateness: int = 0
    horizon: int
