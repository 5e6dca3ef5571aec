"""The log: what is appended, how it stands, and how it is read.

Positions are dense, begin at 1, and are in the order of the commits. `accepted_at` never goes back
from one position to the next. All times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hairspring.log.links import Link, Linked, Place

REPEAT_KEY_BYTES = 16
FURTHEST_BARRIER_MS = 10_000
HISTORY_LIMIT = 10_000
TAIL_BATCH = 500

ERASED = " "
"""The profile of a record that was erased. No id is blank."""


class LogError(Exception):
    """The log cannot do what was asked; the message says why."""


class PositionAhead(LogError):
    """A reader asks for what comes after a position that the log has not reached."""

    def __init__(self, position: int, head: int) -> None:
        super().__init__(
            f"position {position} is beyond the head of the log, {head}: "
            "the log was restored to an earlier state, or this is another log"
        )
        self.position, self.head = position, head


class PositionLost(LogError):
    """A reader asks for records that the retention has dropped."""

    def __init__(self, position: int, trimmed: int) -> None:
        super().__init__(
            f"records after position {position} are no longer kept: "
            f"everything up to {trimmed} was dropped by the retention"
        )
        self.position, self.trimmed = position, trimmed


class DeletionsUnknown(LogError):
    """An append knows of fewer deletions than were made: find out about them, and append again."""


class BarrierTooFar(LogError):
    """A barrier was asked for a moment too far ahead of the log's clock."""

    def __init__(self, through: int, now: int) -> None:
        super().__init__(
            f"the barrier lies {through - now} ms ahead; the furthest is {FURTHEST_BARRIER_MS} ms"
        )
        self.through, self.now = through, now


class Entry(NamedTuple):
    """What is to be appended.

    Entries with the same `repeat_key` (16 bytes) are appended once within the log's window of at
    least 24 hours; without a key, an entry is always appended.

    `anonymous` says that the profile is named by an anonymous id, and `link` that another id is the
    same person's from here on; only a log that merges takes entries with a link.
    """

    shard: int
    workspace: str
    profile: str
    payload: bytes
    repeat_key: bytes | None = None
    anonymous: bool = False
    link: Link | None = None


def repeat_key_of(entry: Entry) -> bytes | None:
    """Answer the repeat key of an entry. Raises ValueError where it has not 16 bytes."""
    key = entry.repeat_key
    if key is not None and len(key) != REPEAT_KEY_BYTES:
        raise ValueError(f"a repeat key has {REPEAT_KEY_BYTES} bytes")
    return key


class Record(NamedTuple):
    """An entry as it stands in the log; `accepted_at` is in ms since the epoch, UTC."""

    position: int
    shard: int
    workspace: str
    profile: str
    accepted_at: int
    payload: bytes


class Appended(NamedTuple):
    """What became of one entry: `position` is 0 for a repeat, which was not appended again.

    `accepted_at` is that of this append, in ms since the epoch, also for a repeat.
    """

    position: int
    accepted_at: int
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some records in log order; all records of the asked shards up to `through` were given."""

    records: list[Record]
    through: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """A line drawn through the log.

    Everything accepted up to `through` (ms since the epoch) stands at or before `position`, and
    everything at a later position has a later `accepted_at` than `through`.
    """

    position: int
    through: int


class Log(ABC):
    """A log of records, sharded by profile, in one dense order.

    A log may merge profiles. Each entry then stands under the profile that its id belongs to at its
    position; a link is carried out right before its entry, and where anything is recorded of the
    profile that ends by it, it appends two records: to that one that it went away, and to the one
    that goes on that the other joined it. The history of the one that ended stays where it is.
    """

    @abstractmethod
    async def append(self, entries: Sequence[Entry], *, knows: int | None = None) -> list[Appended]:
        """Append the entries, all or none, and return once they are durable.

        Answers for each entry in the order given. An entry whose key is in the log's window, or
        earlier in the batch, is a repeat and is not appended. `knows` is how many deletions the
        caller has looked at; raises DeletionsUnknown where there are more.
        """

    @abstractmethod
    async def append_in(
        self, connection: Any, entries: Sequence[Entry], *, knows: int | None = None
    ) -> list[Appended]:
        """Append as the last statement of the caller's transaction; else like `append`.

        The lane is locked until that transaction ends: whoever comes after waits, so commit at
        once. Only a log in Postgres can do it; others raise LogError.
        """

    @abstractmethod
    async def erase_in(
        self,
        connection: Any,
        workspace: str,
        places: Sequence[tuple[int, str]],
        *,
        before: int,
        keep: Collection[int] = (),
        limit: int,
    ) -> int:
        """Erase at most `limit` records of profiles (shard, id) that stand before a position.

        Each keeps its position, shard and time; its payload is empty from then on, and its profile
        `ERASED`. Those at the positions to `keep` stay. Answers how many were erased: fewer than
        `limit` once there are no more. Part of the caller's transaction; in memory there is none.
        """

    @abstractmethod
    async def unlink_in(self, connection: Any, workspace: str, places: Sequence[Place]) -> None:
        """Have ids (shard, id) stand for themselves, in the caller's transaction.

        The lane is to be locked by then, as `count_deletion` does. What was recorded stays merged.
        """

    @abstractmethod
    async def count_deletion(self, connection: Any) -> int:
        """Count one more deletion, in the caller's transaction, and answer how many there are.

        An append that knows of fewer is refused from the commit on.
        """

    @abstractmethod
    async def read(
        self,
        after: int,
        limit: int,
        through: int | None = None,
        shards: Collection[int] | None = None,
    ) -> list[Record]:
        """Read at most `limit` records after a position, in log order.

        Up to and with position `through` if given, and only of `shards` if given.
        """

    @abstractmethod
    async def history(
        self,
        workspace: str,
        profiles: Sequence[str],
        shards: Sequence[int],
        after: int = 0,
        through: int | None = None,
        limit: int = HISTORY_LIMIT,
    ) -> list[Record]:
        """Read the records of profiles, in log order; go on from the last position as `after`.

        `shards` names the shard of each profile, in the same order. Raises ValueError if the two
        differ in length.
        """

    @abstractmethod
    async def resolve(
        self, workspace: str, ids: Sequence[str], shards: Sequence[int]
    ) -> dict[str, Linked]:
        """Answer which of these ids (each in its shard) are part of other profiles now."""

    @abstractmethod
    async def lineage(
        self, workspace: str, profiles: Sequence[str], shards: Sequence[int], through: int
    ) -> dict[str, list[Place]]:
        """Answer for each profile whose records its history is made of, up to a position.

        That is itself, then what had become part of it by then; also of a profile that is itself
        part of another.
        """

    @abstractmethod
    async def get(self, positions: Collection[int]) -> list[Record]:
        """Read single records, in log order; what is not there is left out."""

    @abstractmethod
    async def head(self) -> int:
        """Answer the last position, 0 in an empty log."""

    @abstractmethod
    async def barrier(self, through: int, *, most_ms: int | None = None) -> Barrier:
        """Wait until the log's clock is beyond `through` (ms since the epoch), and draw a line.

        The answer's `through` is at least what was asked. Raises BarrierTooFar if the moment is
        more than ten seconds ahead. With `most_ms` nothing is too far: no more than so long is
        waited, by the log's clock, and the answer's `through` may be before what was asked.
        """

    @abstractmethod
    def tail(
        self,
        positions: Mapping[int, int] | None,
        after: int = 0,
        max_batch: int = TAIL_BATCH,
        stop_at_head: bool = False,
    ) -> AsyncIterator[Batch]:
        """Follow the log: what is there, then what comes, without end.

        `positions` are the shards to follow, each from after its position; None means all shards
        from after position `after`. A batch without records still tells how far the log was read.
        With `stop_at_head` the iteration ends once it has given all that was committed when it
        began. Raises PositionAhead or PositionLost if it cannot begin where it was told to.
        """
