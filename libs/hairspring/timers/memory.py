"""The delay queue in this process: for one-process installations, tests and simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from operator import attrgetter

from hairspring.timers import batches
from hairspring.timers.port import (
    EXPIRED_PER_CLAIM,
    LONGEST_LEASE_MS,
    SERVED,
    Claimed,
    Claims,
    DelayQueue,
    Fenced,
    Outcome,
    QueueLost,
    Timer,
)

DUE_AT = attrgetter("due_at")


@dataclass(slots=True, kw_only=True)
class _Shard:
    """The set of one shard: a heap of due times, in which outdated entries are skipped."""

    epoch: int
    generation: str
    whole: bool = False
    due: dict[str, int] = field(default_factory=dict)
    heap: list[tuple[int, str]] = field(default_factory=list)
    leased: dict[str, Claimed] = field(default_factory=dict)

    def set(self, member: str, due_at: int, *, earliest: bool) -> None:
        """Set the due time of a member, or only make it earlier."""
        known = self.due.get(member)
        if known is not None and (known == due_at or (earliest and known < due_at)):
            return
        self.due[member] = due_at
        heappush(self.heap, (due_at, member))
        if len(self.heap) > 2 * len(self.due) + 64:
            self.heap = [(at, name) for name, at in self.due.items()]
            heapify(self.heap)

    def head(self) -> tuple[int, str] | None:
        """Answer the earliest due member, after dropping outdated entries."""
        while self.heap and self.due.get(self.heap[0][1]) != self.heap[0][0]:
            heappop(self.heap)
        return self.heap[0] if self.heap else None

    def give_back(self, one: Claimed) -> None:
        """End a lease: its member is due again at its old time, or an earlier one."""
        del self.leased[one.member]
        self.set(one.member, one.due_at, earliest=True)

    def expire(self, now: int) -> None:
        """End leases that ran out, and those from a clock that was set back."""
        over = [
            one
            for one in self.leased.values()
            if one.lease_until <= now or one.lease_until > now + LONGEST_LEASE_MS
        ]
        over.sort(key=lambda one: (one.lease_until, one.member))
        for one in over[:EXPIRED_PER_CLAIM]:
            self.give_back(one)

    def next_due(self) -> int | None:
        """Answer the earliest due time or lease end."""
        head = self.head()
        ends = min((one.lease_until for one in self.leased.values()), default=None)
        if head is None or ends is None:
            return ends if head is None else head[0]
        return min(head[0], ends)


class MemoryDelayQueue(DelayQueue):
    """Keeps the timers of each shard in a heap; every call is atomic, since none awaits.

    `clock` answers ms since the epoch, UTC. Tokens are counted, so that a run repeats exactly.
    """

    def __init__(self, clock: Callable[[], int], tokens: Callable[[], str] | None = None) -> None:
        counter = count(1)
        self._clock = clock
        self._tokens = tokens or (lambda: f"{next(counter):016x}")
        self._shards: dict[int, _Shard] = {}

    def forget(self) -> None:
        """Lose everything, as a server does that restarts without its data."""
        self._shards.clear()

    async def schedule(
        self, timers: Sequence[Timer], *, epochs: Mapping[int, int], earliest: bool = False
    ) -> Outcome:
        """Set the due times of these members, as told."""
        outcome = self._refusals({timer.shard: epochs[timer.shard] for timer in timers})
        for timer in timers:
            if outcome is SERVED or timer.shard not in outcome.lost | outcome.fenced:
                self._shards[timer.shard].set(timer.member, timer.due_at, earliest=earliest)
        return outcome

    async def cancel(
        self, members: Sequence[tuple[int, str]], *, epochs: Mapping[int, int]
    ) -> Outcome:
        """Remove these (shard, member) pairs, whether due or leased."""
        batches.check_members(members)
        outcome = self._refusals({shard: epochs[shard] for shard, _ in members})
        for shard, member in members:
            if outcome is SERVED or shard not in outcome.lost | outcome.fenced:
                self._shards[shard].due.pop(member, None)
                self._shards[shard].leased.pop(member, None)
        return outcome

    async def claim(
        self, shards: Sequence[int], limit: int, lease_ms: int, *, epochs: Mapping[int, int]
    ) -> Claims:
        """Lease what is due in these shards for `lease_ms`, at most `limit` in all."""
        batches.check_lease(lease_ms)
        now, token = self._clock(), self._tokens()
        outcome = self._refusals({shard: epochs[shard] for shard in shards})
        claimed: list[Claimed] = []
        next_due: dict[int, int] = {}
        for number, share in zip(shards, batches.shares(limit, len(shards)), strict=True):
            if number in outcome.lost or number in outcome.fenced:
                continue
            shard = self._shards[number]
            claimed += _claim_from(number, shard, share, now=now, lease_ms=lease_ms, token=token)
            head = shard.next_due()
            if head is not None:
                next_due[number] = head
        claimed.sort(key=DUE_AT)
        return Claims(
            now=now,
            claimed=claimed,
            next_due=next_due,
            lost=outcome.lost,
            fenced=outcome.fenced,
        )

    async def ack(self, claimed: Sequence[Claimed]) -> int:
        """Drop these leases; answers how many were still held."""
        return sum(self._drop(one) is not None for one in claimed)

    async def release(self, claimed: Sequence[Claimed], *, due_at: int | None = None) -> int:
        """Make these due again, at `due_at` or as they were."""
        released = 0
        for one in claimed:
            shard = self._drop(one)
            if shard is not None:
                shard.set(one.member, one.due_at if due_at is None else due_at, earliest=True)
                released += 1
        return released

    async def next_due(self, shards: Sequence[int]) -> int | None:
        """Answer the earliest due time or lease end in these shards."""
        known = [self._shards[number].next_due() for number in shards if number in self._shards]
        return min((head for head in known if head is not None), default=None)

    async def pending(self, shards: Sequence[int]) -> int:
        """Count the members of these shards, due or leased."""
        known = [self._shards[number] for number in shards if number in self._shards]
        return sum(len(shard.due.keys() | shard.leased.keys()) for shard in known)

    async def take(self, epochs: Mapping[int, int]) -> Outcome:
        """Take these shards over under these epochs."""
        lost, fenced = set[int](), set[int]()
        for number, epoch in epochs.items():
            shard = self._shards.get(number)
            if shard is not None and epoch < shard.epoch:
                fenced.add(number)
            elif shard is None or not shard.whole:
                lost.add(number)
            else:
                shard.epoch = epoch
                for one in list(shard.leased.values()):
                    shard.give_back(one)
        return Outcome(lost=frozenset(lost), fenced=frozenset(fenced))

    async def begin(self, shard: int, *, epoch: int, generation: str) -> None:
        """Empty a shard to rebuild it; raises Fenced for an older epoch."""
        known = self._shards.get(shard)
        if known is not None and epoch < known.epoch:
            raise Fenced(frozenset([shard]))
        self._shards[shard] = _Shard(epoch=epoch, generation=generation)

    async def complete(self, shard: int, *, epoch: int, generation: str) -> None:
        """Mark a rebuilt shard as whole; raises Fenced or QueueLost."""
        outcome = self._refusals({shard: epoch})
        if outcome.fenced:
            raise Fenced(outcome.fenced)
        if outcome.lost or self._shards[shard].generation != generation:
            raise QueueLost(frozenset([shard]))
        self._shards[shard].whole = True

    async def ping(self) -> None:
        """Return: this process is here."""

    def _refusals(self, epochs: Mapping[int, int]) -> Outcome:
        """Find the shards that are not there in full, or not the caller's."""
        lost, fenced = set[int](), set[int]()
        for number, epoch in epochs.items():
            shard = self._shards.get(number)
            if shard is None or epoch > shard.epoch:
                lost.add(number)
            elif epoch < shard.epoch:
                fenced.add(number)
        if not lost and not fenced:
            return SERVED
        return Outcome(lost=frozenset(lost), fenced=frozenset(fenced))

    def _drop(self, one: Claimed) -> _Shard | None:
        """End a lease if it is still held under this token; answers its shard if so."""
        shard = self._shards.get(one.shard)
        lease = shard.leased.get(one.member) if shard is not None else None
        if shard is None or lease is None or lease.token != one.token:
            return None
        del shard.leased[one.member]
        return shard


def _claim_from(
    number: int, shard: _Shard, limit: int, *, now: int, lease_ms: int, token: str
) -> list[Claimed]:
    """Move the earliest due members of a shard under a lease."""
    if limit == 0:
        return []
    shard.expire(now)
    claimed: list[Claimed] = []
    while len(claimed) < limit and (head := shard.head()) is not None and head[0] <= now:
        due_at, member = heappop(shard.heap)
        del shard.due[member]
        one = Claimed(
            shard=number, member=member, due_at=due_at, token=token, lease_until=now + lease_ms
        )
        shard.leased[member] = one
        claimed.append(one)
    return claimed
