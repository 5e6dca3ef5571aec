"""What every condition can do."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hairspring.engine.state import ProfileState
from hairspring.engine.streams import Pattern, Reference, Run
from hairspring.engine.verdict import Verdict

#: The most events that are named as evidence of one condition; the latest of them.
MOST_EVIDENCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a condition found at a moment: in words, and the events that made it so."""

    detail: str
    events: tuple[Reference, ...] = ()
    """(time, order) of each, oldest first; at most `MOST_EVIDENCE`, the latest of them."""
    groups: tuple[str, ...] = ()
    """The groups, as JSON, that it holds for; at most `MOST_EVIDENCE`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A stream that a condition reads, and what of it has to be remembered.

    An event may be forgotten when it is older than `window` (milliseconds) at the profile's clock,
    or when there are `latest` later ones. With neither, the condition's `trim` forgets.
    """

    pattern: Pattern
    window: int | None = None
    latest: int | None = None


class Unmoved(NamedTuple):
    """Which answers of a condition stand when the latest event of all joins one of its streams.

    An answer that stands changes by itself no earlier than before, so nobody has to ask for it.
    """

    failing: bool = False  #: It fails, until an event comes.
    pending: bool = False  #: It fails, until a moment comes.
    holding: bool = False  #: It holds.
    from_zero: bool = False  #: All this only for events with a value that is not negative.


#: Every answer may change.
MOVED = Unmoved()


class Condition(ABC):
    """A pure function of what is known of a profile up to a moment t, and of t.

    Within one evaluation no event of the profile is later than t.
    """

    __slots__ = ()

    #: The key of the condition in a definition.
    keyword: str = ""
    #: Whether it reads the profile's traits.
    reads_traits: bool = False

    @abstractmethod
    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Whether it holds at t (milliseconds, UTC), and until when that stays so by itself."""

    @abstractmethod
    def __str__(self) -> str:
        """The condition in words, without its parts."""

    @abstractmethod
    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Why it holds or does not, for people."""

    def reads(self) -> Iterator[Reading]:
        """The streams that it reads itself; those of its parts not included."""
        return iter(())

    def patterns(self) -> Iterator[Pattern]:
        """The patterns of the streams that it reads itself."""
        return (reading.pattern for reading in self.reads())

    def trim(self, profile: ProfileState, floor: int) -> None:  # noqa: B027  # most need none
        """Forgets, in streams that are its own, what no answer at the clock or later needs.

        No event older than `floor` (milliseconds, UTC) can come any more.
        """

    def unmoved(self, pattern: Pattern) -> Unmoved:
        """Which answers stand when an event later than all others joins the stream of a pattern."""
        return MOVED

    def parts(self) -> tuple[tuple[str, "Condition"], ...]:
        """The conditions within it, each with its place relative to this one."""
        return ()

    def segments(self) -> Iterator[str]:
        """The segments that it refers to itself; those of its parts not included."""
        return iter(())


def latest_events(run: Run, start: int, stop: int) -> tuple[Reference, ...]:
    """The (time, order) of the latest events of a slice, bounded."""
    return tuple(run.references(max(start, stop - MOST_EVIDENCE, 0), stop))


def bounded(events: Iterable[Reference]) -> tuple[Reference, ...]:
    """The latest of some events, oldest first."""
    return tuple(sorted(events)[-MOST_EVIDENCE:])


def walk(condition: Condition, path: str) -> Iterator[tuple[str, Condition]]:
    """A condition and all within it, each with its path such as `enter.all[0].abandoned`."""
    here = f"{path}.{condition.keyword}"
    yield here, condition
    for place, part in condition.parts():
        yield from walk(part, here + place)
