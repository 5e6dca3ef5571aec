"""The evaluator's tables and ingest's log as a process sees them over a wire."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from hairspring.log.port import Appended, Entry
from hairspring.ownership.port import Fenced
from hairspring.services.ingest.keeping import Keeping
from hairspring.store.definitions import StoredDefinition
from hairspring.store.memory import MemoryStore
from hairspring.store.memory_definitions import MemoryDefinitions
from hairspring.store.port import Effects, Key, Page, Progress, Rebuild, SegmentStore, Stored
from hairspring.store.quarantine import Mark, Retry, SetAside

from tests.simulation.owning import Owning
from tests.simulation.wire import Server, Wire


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


class KeepsAll(Keeping):
    """An ingest that drops nothing, and so need not know who has read what."""

    def __init__(self) -> None: ...

    async def report(self, subscriber: str, position: int) -> None:
        """Pay no heed."""

    async def kept_since(self) -> int | None:
        """All is kept."""
        return None
