"""The store in memory, for simulations and for embedding; it passes the same suite as Postgres."""

import copy
from collections.abc import Collection
from dataclasses import replace

from hairspring.engine.state import ProfileState
from hairspring.log.deletions import Deletion
from hairspring.log.port import Appended, Log
from hairspring.ownership.port import Ownership
from hairspring.store.departing import noted_deletion
from hairspring.store.memory_quarantine import MemoryQuarantine
from hairspring.store.port import (
    FILL,
    Effects,
    Key,
    Page,
    Progress,
    Rebuild,
    SegmentStore,
    Stored,
)
from hairspring.store.quarantine import Mark, Retry, SetAside


class MemoryStore(SegmentStore):
    """Keeps everything in dictionaries. A commit is whole, since nothing awaits in its middle."""

    def __init__(self, ownership: Ownership, log: Log) -> None:
        self._ownership = ownership
        self._log = log
        self._profiles: dict[Key, tuple[bytes, int | None]] = {}
        self._fills: dict[Key, bytes] = {}
        self._members: dict[tuple[Key, str], int] = {}
        self._rebuilds: dict[tuple[Key, str], Rebuild] = {}
        self._quarantine = MemoryQuarantine()
        self.deletions: dict[tuple[str, str], Deletion] = {}

    def for_replica(self, ownership: Ownership) -> "MemoryStore":
        """The same content, as another replica reads it and commits to it behind its own fence."""
        other = copy.copy(self)
        other._ownership = ownership
        return other

    async def load(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """Read profiles; one that is not known comes with a new state."""
        found = {key: Stored(state=ProfileState()) for key in keys}
        for key in keys:
            if key in self._profiles:
                state, due_at = self._profiles[key]
                found[key] = Stored(state=state, due_at=due_at, fill=self._fills.get(key))
        for rebuild in sorted(self._rebuilds.values(), key=_by_position):
            if rebuild.key in found:
                found[rebuild.key].rebuilds.append(rebuild)
        return found

    async def commit(self, effects: Effects) -> list[Appended]:
        """Write everything behind the fence."""
        adoption = effects.adoption
        await self._ownership.fence(
            None,
            effects.owned,
            effects.position,
            plan_version=adoption.version if adoption is not None else None,
        )
        appended = await self._log.append(effects.records) if effects.records else []
        for one in effects.departures:
            erased = self._depart(one.key)
            deletion = noted_deletion(one, effects.records, appended, erased)
            self.deletions[one.key.workspace, one.deletion_id] = deletion
            await self._log.erase_in(
                None,
                one.key.workspace,
                deletion.places,
                before=deletion.first_position,
                keep=[known.position for known in self.deletions.values()],
                limit=2**62,
            )
        self._write(effects)
        return appended

    def _depart(self, key: Key) -> dict[str, int]:
        """Delete all that is kept of a profile; answers how much of each, by kind."""
        members = [named for named in self._members if named[0] == key]
        for named in members:
            del self._members[named]
        return {"memberships": len(members), **self._end(key)}

    def _end(self, key: Key) -> dict[str, int]:
        """Delete it but for the memberships; answers likewise."""
        rebuilds = [named for named in self._rebuilds if named[0] == key]
        for named in rebuilds:
            del self._rebuilds[named]
        return {
            "states": int(self._profiles.pop(key, None) is not None),
            "fills": int(self._fills.pop(key, None) is not None),
            "rebuilds": len(rebuilds),
            "quarantine": self._quarantine.drop(key),
        }

    def _write(self, effects: Effects) -> None:
        for saved in effects.states:
            self._profiles[saved.key] = (saved.state, saved.due_at)
        for filled in effects.fills:
            self._fills[filled.key] = filled.state
        for member in effects.members:
            if member.entered_at is None:
                self._members.pop((member.key, member.segment), None)
            else:
                self._members[member.key, member.segment] = member.entered_at
        for touched in effects.touched:
            self._rebuilds.setdefault((touched.key, touched.cause), touched)
        for finish in effects.finishes:
            for named, rebuild in self._rebuilds.items():
                position = finish.positions.get(rebuild.key.shard)
                meant = (rebuild.key.workspace, rebuild.cause) == (finish.workspace, finish.cause)
                if meant and rebuild.position is None and position:
                    self._rebuilds[named] = replace(
                        rebuild,
                        position=position,
                        through=finish.through,
                        with_flows=finish.with_flows,
                    )
        for done in effects.rebuilt:
            self._rebuilds.pop((done.key, done.cause), None)
        if effects.adoption is not None:
            self._adopt(effects)
        self._quarantine.write(effects)
        for held in (one.key for one in effects.set_aside if one.holds):
            if held in self._profiles:
                self._profiles[held] = (self._profiles[held][0], None)
            for named in [n for n, todo in self._rebuilds.items() if todo.position is not None]:
                if named[0] == held:
                    del self._rebuilds[named]
        for key in effects.gone:
            self._end(key)

    def _adopt(self, effects: Effects) -> None:
        adoption = effects.adoption
        assert adoption is not None, "called for an adoption only"
        shards = effects.owned
        dropped = {*adoption.fill, *adoption.drop}
        for key in [*self._fills, *(key for key, cause in self._rebuilds if cause == FILL)]:
            if key.shard in shards and key.workspace in dropped:
                self._fills.pop(key, None)
                self._rebuilds.pop((key, FILL), None)
        for key in self._profiles:
            if key.shard in shards and key.workspace in adoption.fill:
                position = max(effects.position, shards[key.shard].position)
                self._rebuilds[key, FILL] = Rebuild(key=key, cause=FILL, position=position)
        gone = set(adoption.removed)
        for key, segment in list(self._members):
            if key.shard in effects.owned and (key.workspace, segment) in gone:
                del self._members[key, segment]

    async def ready(self, shards: Collection[int], limit: int) -> list[Rebuild]:
        """Read rebuilds that can be done: those for imports first, in each shard by position."""
        ready = [
            rebuild
            for rebuild in self._rebuilds.values()
            if rebuild.position is not None and rebuild.key.shard in shards
        ]
        return sorted(ready, key=lambda todo: (todo.cause == FILL, _by_position(todo)))[:limit]

    async def filled(self, shards: Collection[int], workspace: str, limit: int | None) -> list[Key]:
        """Read which profiles have been filled, in the order of their keys; None for all."""
        found = [k for k in self._fills if k.shard in shards and k.workspace == workspace]
        return sorted(found)[:limit]

    async def progress(self, workspace: str) -> Progress:
        """Count how far a workspace has been filled, over all shards."""
        waiting = {key for key, cause in self._rebuilds if cause == FILL}
        return Progress(
            filled=sum(key.workspace == workspace for key in self._fills.keys() - waiting),
            waiting=sum(key.workspace == workspace for key in waiting),
        )

    async def due(self, shards: Collection[int], before: int, limit: int) -> list[tuple[Key, int]]:
        """Read profiles that are due before a moment, the earliest first."""
        due = [
            (key, due_at)
            for key, (_, due_at) in self._profiles.items()
            if due_at is not None and due_at < before and key.shard in shards
        ]
        return sorted(due, key=lambda found: found[1])[:limit]

    async def next_due(self, shards: Collection[int]) -> dict[int, int]:
        """Read when the first profile of each shard is due; a shard where none is, is missing."""
        found: dict[int, int] = {}
        for key, (_, due_at) in self._profiles.items():
            if due_at is not None and key.shard in shards:
                found[key.shard] = min(due_at, found.get(key.shard, due_at))
        return found

    async def timers(
        self, shard: int, after: tuple[int, Key | None], before: int, limit: int
    ) -> list[tuple[Key, int]]:
        """Read due times of one shard before a moment, in their order."""
        start, last = after
        place = (start, last if last is not None else Key(shard, "", ""))
        found = [
            (due_at, key)
            for key, (_, due_at) in self._profiles.items()
            if due_at is not None and key.shard == shard and due_at < before
            if (due_at, key) > place
        ]
        return [(key, due_at) for due_at, key in sorted(found)[:limit]]

    async def marks(self, shards: Collection[int]) -> dict[Key, Mark]:
        """Read which profiles have anything set aside."""
        return self._quarantine.marks(shards)

    async def retries(self, shards: Collection[int], now: int, limit: int) -> list[Retry]:
        """Read profiles that are to be folded anew now: asked for, or due by `now`."""
        return self._quarantine.retries(shards, now)[:limit]

    async def want_retry(
        self, workspace: str, profiles: Collection[str] | None, *, with_flows: bool
    ) -> list[Retry]:
        """Ask that profiles be folded anew (None for all); answers those that are set aside."""
        return self._quarantine.want_retry(workspace, profiles, with_flows=with_flows)

    async def quarantine(
        self, workspace: str, profile: str | None, after: tuple[str, int, str], limit: int
    ) -> list[SetAside]:
        """List what is set aside, by (profile, position, what), after the one given."""
        return self._quarantine.page(workspace, profile, after)[:limit]

    async def standing(self, key: Key) -> dict[str, int]:
        """Read the segments that a profile is in, and since when, as was told."""
        return {name: at for (member, name), at in self._members.items() if member == key}

    async def members(self, workspace: str, segment: str, after: str, limit: int) -> list[Page]:
        """List the members of a segment by profile, after the profile given."""
        found = [
            Page(key.profile, at)
            for (key, name), at in self._members.items()
            if key.workspace == workspace and name == segment and key.profile > after
        ]
        return sorted(found)[:limit]

    async def count(self, workspace: str) -> dict[str, int]:
        """Count the members of each segment that has any."""
        counts: dict[str, int] = {}
        for key, segment in self._members:
            if key.workspace == workspace:
                counts[segment] = counts.get(segment, 0) + 1
        return counts


def _by_position(rebuild: Rebuild) -> tuple[int, str]:
    return (rebuild.position if rebuild.position is not None else 2**63, rebuild.cause)
