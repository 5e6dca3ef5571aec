"""The delay queue as a process sees it over a wire: it may be away, and may have lost anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hairspring.timers.memory import MemoryDelayQueue
from hairspring.timers.port import Claimed, Claims, DelayQueue, Outcome, QueueLost, Timer

from tests.simulation.wire import Server, Wire


class Queue(DelayQueue):
    """A replica's delay queue; like that in Redis, it remembers what it could not be told."""

    def __init__(self, wire: Wire, redis: Server, sets: MemoryDelayQueue) -> None:
        self._wire = wire
        self._redis = redis
        self._sets = sets
        self._untold: set[int] = set()

    async def schedule(
        self, timers: Sequence[Timer], *, epochs: Mapping[int, int], earliest: bool = False
    ) -> Outcome:
        """Schedule."""
        epochs = dict(epochs)
        try:
            return await self._call(
                "schedule", lambda: self._sets.schedule(timers, epochs=epochs, earliest=earliest)
            )
        except BaseException:
            self._untold.update(timer.shard for timer in timers)
            raise

    async def cancel(
        self, members: Sequence[tuple[int, str]], *, epochs: Mapping[int, int]
    ) -> Outcome:
        """Cancel."""
        return await self._call("cancel", lambda: self._sets.cancel(members, epochs=epochs))

    async def claim(
        self, shards: Sequence[int], limit: int, lease_ms: int, *, epochs: Mapping[int, int]
    ) -> Claims:
        """Claim; what missed a schedule counts as lost."""
        shards, epochs = list(shards), dict(epochs)
        claims = await self._call(
            "claim", lambda: self._sets.claim(shards, limit, lease_ms, epochs=epochs)
        )
        missed = self._untold.intersection(shards) - claims.fenced
        return Claims(
            now=claims.now,
            claimed=claims.claimed,
            next_due=claims.next_due,
            lost=claims.lost | missed,
            fenced=claims.fenced,
        )

    async def ack(self, claimed: Sequence[Claimed]) -> int:
        """Acknowledge."""
        return await self._call("ack", lambda: self._sets.ack(claimed))

    async def release(self, claimed: Sequence[Claimed], *, due_at: int | None = None) -> int:
        """Release."""
        return await self._call("release", lambda: self._sets.release(claimed, due_at=due_at))

    async def next_due(self, shards: Sequence[int]) -> int | None:
        """Answer the earliest due time."""
        return await self._call("next_due", lambda: self._sets.next_due(shards))

    async def pending(self, shards: Sequence[int]) -> int:
        """Count members."""
        return await self._call("pending", lambda: self._sets.pending(shards))

    async def take(self, epochs: Mapping[int, int]) -> Outcome:
        """Take shards over."""
        epochs = dict(epochs)
        return await self._call("take", lambda: self._sets.take(epochs))

    async def begin(self, shard: int, *, epoch: int, generation: str) -> None:
        """Begin to rebuild a shard."""
        self._untold.discard(shard)
        await self._call(
            "begin", lambda: self._sets.begin(shard, epoch=epoch, generation=generation)
        )

    async def complete(self, shard: int, *, epoch: int, generation: str) -> None:
        """Complete a rebuilt shard."""
        if shard in self._untold:
            raise QueueLost(frozenset([shard]))
        await self._call(
            "complete", lambda: self._sets.complete(shard, epoch=epoch, generation=generation)
        )

    async def ping(self) -> None:
        """Answer if the queue does."""
        await self._call("ping", self._sets.ping)

    async def _call(self, name: str, effect: Callable[[], Any]) -> Any:
        return await self._wire.call(self._redis, name, effect)
