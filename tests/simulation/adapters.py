"""The memory adapters as a process sees them over a wire: late, refusing, or not answering."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from hairspring.log.port import Appended, Entry
from hairspring.ownership.memory import MemoryOwnership, MemoryShards
from hairspring.ownership.port import Fenced, Owned, Ownership
from hairspring.store.definitions import StoredDefinition
from hairspring.store.memory import MemoryStore
from hairspring.store.memory_definitions import MemoryDefinitions
from hairspring.store.port import Effects, Key, Page, Progress, Rebuild, SegmentStore, Stored
from hairspring.store.quarantine import Mark, Retry, SetAside
from hairspring.timers.memory import MemoryDelayQueue
from hairspring.timers.port import Claimed, Claims, DelayQueue, Outcome, QueueLost, Timer

from tests.simulation.wire import Server, Wire

STAND_BY_SECONDS = 1.0


class Notices:
    """Tells subscribers to look again; now and then late, as after a reconnection."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._subscribers: dict[str, dict[asyncio.Event, None]] = {}

    def notify(self, channel: str) -> None:
        """Wake whoever has subscribed to a channel."""
        wire = self._wire
        for event in self._subscribers.get(channel, {}):
            missed = wire.chance.random() < wire.weather.unnoticed
            delay = 1 + 3 * wire.chance.random() if missed else wire.delay()
            wire.loop.call_later(delay, event.set, context=wire.context)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set on every notice."""
        event = asyncio.Event()
        subscribers = self._subscribers.setdefault(channel, {})
        subscribers[event] = None
        try:
            yield event
        finally:
            subscribers.pop(event, None)


class Owning(Ownership):
    """A replica's ownership; it renews its lease, and learns of a loss as late as it must."""

    def __init__(self, wire: Wire, postgres: Server, shards: MemoryShards, name: str, ms: int):
        super().__init__(name)
        self.row = MemoryOwnership(name, shards, ms)
        self.unbalanced = self.row.unbalanced  # told at once, as by a notice
        self._wire = wire
        self._postgres = postgres
        self._shards = shards
        self._renewal_seconds = ms / 3000
        self._owns = False

    async def keep(self) -> None:
        """Renew the lease for ever."""
        while True:
            await asyncio.sleep(self._renewal_seconds)
            try:
                present = await self._wire.call(self._postgres, "renew", self._renew)
            except Exception:
                continue
            if self._owns and not present:
                self._owns = False
                self.lost.set()

    async def _renew(self) -> bool:
        self.row.renew()
        return any(owner is self.row for owner in self._shards.owners.values())

    async def acquire(self) -> dict[int, Owned]:
        """Take what is free, after effects that have begun have ended."""
        owned = await self._wire.call(self._postgres, f"acquire {self.replica_id}", self._take)
        if owned:
            self.lost.clear()
        self._owns = bool(owned)
        return owned

    async def _take(self) -> dict[int, Owned]:
        self._wire.settle_doubts()
        return await self.row.acquire()

    async def stand_by(self) -> dict[int, Owned]:
        """Try each second."""
        while not (owned := await self.acquire()):  # noqa: ASYNC110
            await asyncio.sleep(STAND_BY_SECONDS)
        return owned

    async def release(self) -> None:
        """Hand over everything."""
        self._owns = False
        await self._wire.call(self._postgres, "release", self._give_back)

    async def _give_back(self) -> None:
        self._wire.settle_doubts()
        await self.row.release()

    async def fence(
        self,
        connection: Any,
        shards: Mapping[int, Owned],
        position: int,
        *,
        plan_version: int | None = None,
    ) -> None:
        """Refuse: the store fences by the row, in the one instant of its commit."""
        raise NotImplementedError


class Store(SegmentStore):
    """A replica's store."""

    def __init__(self, wire: Wire, postgres: Server, rows: MemoryStore, ownership: Owning) -> None:
        self._wire = wire
        self._postgres = postgres
        self._rows = rows
        self._ownership = ownership

    async def load(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """Read profiles."""
        keys = list(keys)
        return await self._wire.call(self._postgres, "load", lambda: self._rows.load(keys))

    async def commit(self, effects: Effects) -> list[Appended]:
        """Commit; what was given is what counts, though it is changed meanwhile."""
        name = f"commit {self._ownership.replica_id} {effects.position}"
        effects.owned = dict(effects.owned)
        try:
            return await self._wire.call(
                self._postgres, name, lambda: self._rows.commit(effects), in_doubt=True
            )
        except Fenced:
            self._ownership.lost.set()
            raise

    async def ready(self, shards: Collection[int], limit: int) -> list[Rebuild]:
        """Read rebuilds."""
        return await self._wire.call(
            self._postgres, "ready", lambda: self._rows.ready(shards, limit)
        )

    async def filled(self, shards: Collection[int], workspace: str, limit: int | None) -> list[Key]:
        """Read which profiles have been filled."""
        return await self._wire.call(
            self._postgres, "filled", lambda: self._rows.filled(shards, workspace, limit)
        )

    async def progress(self, workspace: str) -> Progress:
        """Count how far a workspace has been filled."""
        return await self._wire.call(
            self._postgres, "progress", lambda: self._rows.progress(workspace)
        )

    async def due(self, shards: Collection[int], before: int, limit: int) -> list[tuple[Key, int]]:
        """Read what is due."""
        return await self._wire.call(
            self._postgres, "due", lambda: self._rows.due(shards, before, limit)
        )

    async def next_due(self, shards: Collection[int]) -> dict[int, int]:
        """Read when each shard is due first."""
        return await self._wire.call(
            self._postgres, "next-due", lambda: self._rows.next_due(shards)
        )

    async def timers(
        self, shard: int, after: tuple[int, Key | None], before: int, limit: int
    ) -> list[tuple[Key, int]]:
        """Read due times."""
        return await self._wire.call(
            self._postgres, "timers", lambda: self._rows.timers(shard, after, before, limit)
        )

    async def marks(self, shards: Collection[int]) -> dict[Key, Mark]:
        """Read what is in quarantine."""
        return await self._wire.call(self._postgres, "marks", lambda: self._rows.marks(shards))

    async def retries(self, shards: Collection[int], now: int, limit: int) -> list[Retry]:
        """Read what is to be tried again."""
        return await self._wire.call(
            self._postgres, "retries", lambda: self._rows.retries(shards, now, limit)
        )

    async def want_retry(
        self, workspace: str, profiles: Collection[str] | None, *, with_flows: bool
    ) -> list[Retry]:
        """Ask for retries."""
        return await self._rows.want_retry(workspace, profiles, with_flows=with_flows)

    async def quarantine(
        self, workspace: str, profile: str | None, after: tuple[str, int, str], limit: int
    ) -> list[SetAside]:
        """List what is set aside."""
        return await self._rows.quarantine(workspace, profile, after, limit)

    async def standing(self, key: Key) -> dict[str, int]:
        """Read where a profile is."""
        return await self._wire.call(self._postgres, "standing", lambda: self._rows.standing(key))

    async def members(self, workspace: str, segment: str, after: str, limit: int) -> list[Page]:
        """List members."""
        return await self._rows.members(workspace, segment, after, limit)

    async def count(self, workspace: str) -> dict[str, int]:
        """Count members."""
        return await self._rows.count(workspace)


class Definitions(MemoryDefinitions):
    """A replica's view of the definitions."""

    def __init__(self, wire: Wire, postgres: Server, rows: MemoryDefinitions) -> None:
        self._wire = wire
        self._postgres = postgres
        self._rows = rows

    async def latest(self) -> int:
        """Read the latest plan version."""
        return await self._wire.call(self._postgres, "latest", self._rows.latest)

    async def workspaces(self) -> list[str]:
        """Read the workspaces."""
        return await self._wire.call(self._postgres, "workspaces", self._rows.workspaces)

    async def in_force(self, workspace: str, version: int) -> list[StoredDefinition]:
        """Read the definitions in force."""
        return await self._wire.call(
            self._postgres, "in_force", lambda: self._rows.in_force(workspace, version)
        )

    async def activation(self, version: int) -> tuple[str, int] | None:
        """Read what a version puts in force."""
        return await self._wire.call(
            self._postgres, "activation", lambda: self._rows.activation(version)
        )

    async def activated(self, workspace: str, version: int) -> int:
        """Read which version put the last forms in force."""
        return await self._wire.call(
            self._postgres, "activated", lambda: self._rows.activated(workspace, version)
        )

    async def removed(self, workspace: str, kind: str, after: int, version: int) -> set[str]:
        """Read what was removed."""
        return await self._wire.call(
            self._postgres, "removed", lambda: self._rows.removed(workspace, kind, after, version)
        )

    async def waiting_shards(self, version: int) -> list[int]:
        """Read which shards wait."""
        return await self._wire.call(
            self._postgres, "waiting_shards", lambda: self._rows.waiting_shards(version)
        )

    async def activate(self, workspace: str, *, after: int, now: int) -> int:
        """Put in force what has been filled."""
        return await self._wire.call(
            self._postgres,
            f"activate {after}",
            lambda: self._rows.activate(workspace, after=after, now=now),
            in_doubt=True,
        )


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


class Appending:
    """The append of an ingest process."""

    def __init__(
        self, wire: Wire, postgres: Server, append: Callable[[Sequence[Entry]], Any]
    ) -> None:
        self._wire = wire
        self._postgres = postgres
        self._append = append

    async def append(self, entries: Sequence[Entry]) -> list[Appended]:
        """Append; the answer may get lost."""
        entries = list(entries)
        answer: list[Appended] = await self._wire.call(
            self._postgres, "append", lambda: self._append(entries), in_doubt=True
        )
        return answer
