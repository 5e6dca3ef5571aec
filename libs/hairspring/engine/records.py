"""What comes out: everything that is worth recording of an evaluation."""

from dataclasses import dataclass
from enum import Enum

from hairspring.engine.events import Event


class Change(Enum):
    """The two ways of a membership."""

    ENTERED = "entered"  #: Became a member.
    LEFT = "left"  #: Is no longer one.


class Origin(Enum):
    """Where a transition came from."""

    LIVE = "live"  #: Live events and the passing of time.
    IMPORT = "import"  #: Imported history.
    DEFINITION = "definition"  #: A new or changed definition.
    MERGE = "merge"  #: Two profiles became one.
    REPAIR = "repair"  #: What could not be evaluated at its time, and was folded in later.
    DELETION = "deletion"  #: The profile was deleted.


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What brought a change about: an event, or the passing of time where `event` is None."""

    event: Event | None = None
    late: bool = False  #: The event was older than what had been evaluated before.


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One condition, whether it held, and the (time, order) of the events that made it so."""

    path: str
    holds: bool
    events: tuple[tuple[int, int], ...]
    detail: str = ""  #: What it found, in words.
    groups: tuple[str, ...] = ()  #: The groups, as JSON, that it held for.


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Somebody entered or left a segment at `effective_at` (milliseconds, UTC)."""

    segment: str
    version: int
    change: Change
    effective_at: int
    cause: Cause
    origin: Origin = Origin.LIVE
    entered_at: int | None = None  #: For a leaving: the entry that it ends.
    evidence: tuple[Evidence, ...] = ()
    groups: tuple[str, ...] = ()  #: The groups, as JSON, of the conditions with `by` that held.
    merged_with: str = ""
    """The other profile, where the membership only moved from one to the other by a merge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A rise has to wait, for `reason`, until at least `until`; None where an event decides."""

    segment: str
    rise_at: int
    reason: str
    until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A rise was used up without an entry."""

    segment: str
    rise_at: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """An event came that a flow names."""

    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The profile was deleted at a moment (milliseconds, UTC): what follows is of a new one."""

    deletion_id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Another profile became part of this one at `at` (milliseconds, UTC)."""

    former: str
    at: int
    entered: tuple[tuple[str, int], ...] = ()
    """The segments whose membership counts from an older entry by that, and from when."""


Record = Transition | Held | Dropped | Matched | Deleted | Merged
