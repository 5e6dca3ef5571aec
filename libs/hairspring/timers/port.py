"""The delay queue as its callers see it: the values, the errors and the port."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LATEST_DUE = 2**53 - 1
"""The latest due time a timer may have, ms: what a sorted set's score holds exactly."""

LONGEST_LEASE_MS = 600_000
"""The longest lease, ms: one that ends later than this from now is left of a clock set back."""

EXPIRED_PER_CLAIM = 100
"""How many expired leases of a shard come back in one claim, so that no call takes long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A member of a shard that is to ring at `due_at` (ms since the epoch, UTC).

    The member is text that means something to the caller only; it encodes workspace and profile.
    Raises ValueError for an empty member and for a time that a score cannot hold.
    """

    shard: int
    member: str
    due_at: int

    def __post_init__(self) -> None:
        """Check that the queue can hold it."""
        if not self.member:
            raise ValueError("a timer needs a member")
        if not 0 <= self.due_at <= LATEST_DUE:
            raise ValueError(f"due_at must lie between 0 and {LATEST_DUE} ms, not {self.due_at}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A timer that rang, held under a lease until `lease_until` (ms, UTC).

    The token is that of this claim alone: an acknowledgement under another one does nothing.
    """

    shard: int
    member: str
    due_at: int
    token: str
    lease_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a call on several shards: those not named here were served."""

    lost: frozenset[int] = frozenset()
    """Shards whose set is gone or incomplete: their owner rebuilds them."""
    fenced: frozenset[int] = frozenset()
    """Shards that somebody with a higher epoch has taken: nothing was changed in them."""

    @property
    def ok(self) -> bool:
        """Tell whether every shard was served."""
        return not self.lost and not self.fenced


SERVED = Outcome()
"""Every shard was served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What one claim brought, ordered by due time."""

    now: int
    """The queue's clock at the claim, ms UTC."""
    claimed: Sequence[Claimed] = ()
    next_due: Mapping[int, int] = field(default_factory=dict)
    """By shard, the earliest due time or lease end left; absent when nothing is pending."""
    lost: frozenset[int] = frozenset()
    fenced: frozenset[int] = frozenset()


class QueueError(Exception):
    """The delay queue refused or could not answer."""


class QueueUnavailable(QueueError):
    """The delay queue does not answer; find what is due in Postgres until it does."""


class QueueLost(QueueError):
    """The sets of these shards are gone or incomplete; rebuild them from Postgres."""

    def __init__(self, shards: frozenset[int]) -> None:
        super().__init__(f"the timers of shards {sorted(shards)} must be rebuilt")
        self.shards = shards


class Fenced(QueueError):
    """Somebody with a higher epoch owns these shards; stop working on them."""

    def __init__(self, shards: frozenset[int]) -> None:
        super().__init__(f"shards {sorted(shards)} have an owner with a higher epoch")
        self.shards = shards


class DelayQueue(ABC):
    """Timers by shard, each due at a time, handed out under leases.

    Every call is for many timers and many shards at once, and atomic shard by shard. `epochs`
    gives the caller's epoch of every shard it names. Every method raises QueueUnavailable when
    the queue does not answer: some shards may have been served then. All times are ms, UTC.
    """

    @abstractmethod
    async def schedule(
        self, timers: Sequence[Timer], *, epochs: Mapping[int, int], earliest: bool = False
    ) -> Outcome:
        """Set the due times of these members, as told.

        A lease on such a member stays, and its acknowledgement leaves the new due time alone.
        With `earliest`, a member that is due earlier already stays so: for rebuilding and for
        paging in, beside schedules that are newer than what was read. After QueueUnavailable
        the shards count as lost for this caller, since what it was told is not in them.
        """

    @abstractmethod
    async def cancel(
        self, members: Sequence[tuple[int, str]], *, epochs: Mapping[int, int]
    ) -> Outcome:
        """Remove these (shard, member) pairs, whether due or leased.

        Raises ValueError for an empty member.
        """

    @abstractmethod
    async def claim(
        self, shards: Sequence[int], limit: int, lease_ms: int, *, epochs: Mapping[int, int]
    ) -> Claims:
        """Lease what is due in these shards for `lease_ms`, at most `limit` in all.

        Each shard gives at most its even share of `limit`, its earliest first. Leases that ran
        out are due again. Raises ValueError for a lease of no time or above LONGEST_LEASE_MS.
        """

    @abstractmethod
    async def ack(self, claimed: Sequence[Claimed]) -> int:
        """Drop these leases; answers how many were still held. A late one does nothing."""

    @abstractmethod
    async def release(self, claimed: Sequence[Claimed], *, due_at: int | None = None) -> int:
        """Make these due again, at `due_at` or as they were; answers how many were still held.

        A member that was scheduled anew meanwhile keeps the earlier of both times.
        """

    @abstractmethod
    async def next_due(self, shards: Sequence[int]) -> int | None:
        """Answer the earliest due time or lease end in these shards."""

    @abstractmethod
    async def pending(self, shards: Sequence[int]) -> int:
        """Count the members of these shards, due or leased."""

    @abstractmethod
    async def take(self, epochs: Mapping[int, int]) -> Outcome:
        """Take these shards over under these epochs: older owners are fenced from now on.

        Leases of older owners are void: what they held is due again at once. The shards named
        as lost must be rebuilt.
        """

    @abstractmethod
    async def begin(self, shard: int, *, epoch: int, generation: str) -> None:
        """Empty a shard to rebuild it, under a generation that was never used before.

        It can be scheduled in and claimed from at once. Raises Fenced for an older epoch.
        """

    @abstractmethod
    async def complete(self, shard: int, *, epoch: int, generation: str) -> None:
        """Mark a rebuilt shard as whole, so that the next owner can take it as it is.

        Raises Fenced for an older epoch, QueueLost when that generation is not there any more.
        """

    @abstractmethod
    async def ping(self) -> None:
        """Answer if the queue does; raises QueueUnavailable."""
