"""What the store keeps, as its users see it. Times are milliseconds since the epoch, UTC."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hairspring.log.port import Appended, Entry
from hairspring.ownership.port import Owned
from hairspring.store.keys import Key as Key
from hairspring.store.quarantine import InVain, Mark, Retry, SetAside
from hairspring.store.stored import Stored as Stored

#: The cause of a rebuild by which a profile's history is folded for what is being filled.
FILL = "fill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """A profile is to be folded anew: for an import, or for what is being filled (`FILL`).

    `fresh` says that nobody had judged the profile when the import first touched it. `position`
    is the place in the event log up to which history counts; None until the import has finished.
    `through` is the moment up to which the rebuild judges; None for the profile's own clock.
    """

    key: Key
    cause: str
    fresh: bool = False
    position: int | None = None
    through: int | None = None
    with_flows: bool = False


class Saved(NamedTuple):
    """A profile's state to be written, encoded."""

    key: Key
    state: bytes
    due_at: int | None


class Filled(NamedTuple):
    """A profile's state by what is being filled, to be written, encoded."""

    key: Key
    state: bytes


class Member(NamedTuple):
    """A profile's membership: entered, or, with `entered_at` None, ended."""

    key: Key
    segment: str
    entered_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A profile was deleted at a moment (milliseconds, UTC): all that is kept of it goes.

    `told` are those of the records that tell of it; older ones are erased. What else is written of
    the profile in the same effects is of the new one, and stays.
    """

    key: Key
    deletion_id: str
    at: int
    told: Sequence[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """In these shards an import of a workspace is complete at the positions given (by shard)."""

    workspace: str
    cause: str
    positions: Mapping[int, int]
    through: int
    with_flows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """From here on the shards are judged by another plan version.

    `removed` lists the segments that are gone, as (workspace, segment). In the workspaces in
    `fill`, what was being filled is dropped, and every known profile waits to be filled up to where
    its shard stands; in those in `drop`, nothing is being filled any more.
    """

    version: int
    removed: Sequence[tuple[str, str]] = ()
    fill: Sequence[str] = ()
    drop: Sequence[str] = ()


@dataclass(slots=True)
class Effects:
    """All that one evaluation decided; written whole or not at all."""

    owned: Mapping[int, Owned]
    """The shards concerned, each with the epoch it is owned under."""
    position: int
    """Everything in these shards up to this place in the event log has been applied."""
    states: list[Saved] = field(default_factory=list)
    fills: list[Filled] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    records: list[Entry] = field(default_factory=list)
    touched: list[Rebuild] = field(default_factory=list)
    finishes: list[Finish] = field(default_factory=list)
    rebuilt: list[Rebuild] = field(default_factory=list)
    adoption: Adoption | None = None
    set_aside: list[SetAside] = field(default_factory=list)
    """What holds a profile also ends its timer, and the rebuilds of it that could be done."""
    in_vain: list[InVain] = field(default_factory=list)
    released: list[Key] = field(default_factory=list)
    """Profiles of which nothing is set aside any more."""
    departures: list[Departure] = field(default_factory=list)
    """Profiles that were deleted; this comes before everything else."""
    gone: list[Key] = field(default_factory=list)
    """Profiles that became part of others: all that is kept of them but memberships goes."""

    def profiles(self) -> Iterator[Key]:
        """Name the profiles concerned, some of them more than once."""
        for group in (self.states, self.fills, self.touched, self.rebuilt, self.set_aside):
            for one in group:
                yield one.key
        for tried in self.in_vain:
            yield tried.key
        yield from self.released
        for gone in self.departures:
            yield gone.key
        yield from self.gone


class Progress(NamedTuple):
    """How many profiles have been filled, and how many wait."""

    filled: int
    waiting: int


class Page(NamedTuple):
    """A member as it is listed."""

    profile: str
    entered_at: int


class SegmentStore(ABC):
    """Where the evaluator keeps what it decided."""

    @abstractmethod
    async def load(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """Read profiles; one that is not known comes with a new state."""

    @abstractmethod
    async def commit(self, effects: Effects) -> list[Appended]:
        """Write everything in one transaction that begins with the fence.

        Answers where the records stand. Raises hairspring.ownership.port.Fenced, and then
        nothing was written, if a shard has another owner.
        """

    @abstractmethod
    async def ready(self, shards: Collection[int], limit: int) -> list[Rebuild]:
        """Read rebuilds that can be done: those for imports first, in each shard by position."""

    @abstractmethod
    async def filled(self, shards: Collection[int], workspace: str, limit: int | None) -> list[Key]:
        """Read which profiles have been filled, in the order of their keys; None for all."""

    @abstractmethod
    async def progress(self, workspace: str) -> Progress:
        """Count how far a workspace has been filled, over all shards."""

    @abstractmethod
    async def due(self, shards: Collection[int], before: int, limit: int) -> list[tuple[Key, int]]:
        """Read profiles that are due before a moment, the earliest first."""

    @abstractmethod
    async def next_due(self, shards: Collection[int]) -> dict[int, int]:
        """Read when the first profile of each shard is due; a shard where none is, is missing."""

    @abstractmethod
    async def timers(
        self, shard: int, after: tuple[int, Key | None], before: int, limit: int
    ) -> list[tuple[Key, int]]:
        """Read due times of one shard before a moment, in their order.

        From the time `after` names on, without a key; else what comes after that time and key.
        """

    @abstractmethod
    async def marks(self, shards: Collection[int]) -> dict[Key, Mark]:
        """Read which profiles have anything set aside."""

    @abstractmethod
    async def retries(self, shards: Collection[int], now: int, limit: int) -> list[Retry]:
        """Read profiles that are to be folded anew now: asked for, or due by `now`."""

    @abstractmethod
    async def want_retry(
        self, workspace: str, profiles: Collection[str] | None, *, with_flows: bool
    ) -> list[Retry]:
        """Ask that profiles be folded anew (None for all); answers those that are set aside."""

    @abstractmethod
    async def quarantine(
        self, workspace: str, profile: str | None, after: tuple[str, int, str], limit: int
    ) -> list[SetAside]:
        """List what is set aside, by (profile, position, what), after the one given."""

    @abstractmethod
    async def standing(self, key: Key) -> dict[str, int]:
        """Read the segments that a profile is in, and since when, as was told."""

    @abstractmethod
    async def members(self, workspace: str, segment: str, after: str, limit: int) -> list[Page]:
        """List the members of a segment by profile, after the profile given."""

    @abstractmethod
    async def count(self, workspace: str) -> dict[str, int]:
        """Count the members of each segment that has any."""
