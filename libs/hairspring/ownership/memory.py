"""Ownership in memory, for tests and simulations in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hairspring.database.notices import wait_until_set
from hairspring.ownership.port import LEASE_MS, Fenced, Owned, Ownership


class MemoryShards:
    """The shards that replicas in one process share; `clock` answers ms since the epoch."""

    def __init__(self, count: int, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.rows = {
            shard: Owned(shard=shard, epoch=0, position=0, plan_version=0) for shard in range(count)
        }
        self.owners: dict[int, MemoryOwnership | None] = dict.fromkeys(range(count))
        self.present: list[MemoryOwnership] = []
        """The replicas that are there, the oldest first."""
        self.changed = asyncio.Event()

    def tell(self) -> None:
        """Wake whoever stands by, and have everybody see whether the shares are even."""
        self.changed.set()
        for replica in self.present:
            replica.look()


class MemoryOwnership(Ownership):
    """One replica's part of the shards; it renews its lease when told to, not by itself."""

    def __init__(self, replica_id: str, shards: MemoryShards, lease_ms: int = LEASE_MS) -> None:
        super().__init__(replica_id)
        self._shards = shards
        self._lease_ms = lease_ms
        self.lease_until = shards.clock() + lease_ms

    def renew(self) -> None:
        """Prolong the lease; what was taken meanwhile stays lost."""
        self.lease_until = self._shards.clock() + self._lease_ms
        self.look()

    def look(self) -> None:
        """Set `unbalanced` if acquiring would change something."""
        if self not in self._shards.present:
            return
        gone, mine = self._gone(), len(self._owned())
        due = self._due(gone)
        free = any(owner is None or owner in gone for owner in self._shards.owners.values())
        if mine > due or (mine < due and free):
            self.unbalanced.set()

    async def acquire(self) -> dict[int, Owned]:
        """Give up the surplus, and take what is free or whose owner's lease has run out."""
        self.unbalanced.clear()
        self.lease_until = self._shards.clock() + self._lease_ms
        changed = self not in self._shards.present
        if changed:
            self._shards.present.append(self)
        changed |= self._free_those_gone()
        due, mine = self._due([]), sorted(self._owned())
        free = [shard for shard, owner in self._shards.owners.items() if owner is None]
        for shard in mine[due:]:
            self._shards.owners[shard] = None
        taken = free[: max(due - len(mine), 0)]
        for shard in taken:
            row = self._shards.rows[shard]
            self._shards.rows[shard] = replace(row, epoch=row.epoch + 1)
            self._shards.owners[shard] = self
        if changed or taken or mine[due:]:
            self._shards.tell()
        owned = self._owned()
        if owned:
            self.lost.clear()
        return owned

    async def stand_by(self) -> dict[int, Owned]:
        """Wait for a change, or for a second to try again."""
        while not (owned := await self.acquire()):
            self._shards.changed.clear()
            await wait_until_set(self._shards.changed, 1.0)
        return owned

    async def release(self) -> None:
        """Give everything back, and be absent."""
        for shard in self._owned():
            self._shards.owners[shard] = None
        if self in self._shards.present:
            self._shards.present.remove(self)
        self._shards.tell()

    async def fence(
        self,
        connection: Any,
        shards: Mapping[int, Owned],
        position: int,
        *,
        plan_version: int | None = None,
    ) -> None:
        """Prove ownership. Positions move at once, or when a transaction in memory is committed.

        Nothing holds the rows until then, so that is when ownership is proved once more.
        """
        self._prove(shards)
        if connection is None:
            self._move(shards, position, plan_version)
        else:
            connection.at_commit(lambda: self._prove(shards))
            connection.at_commit(lambda: self._move(shards, position, plan_version))

    def _prove(self, shards: Mapping[int, Owned]) -> None:
        """Raise Fenced unless every shard is owned under its epoch."""
        rows = self._shards.rows
        for shard, owned in shards.items():
            if self._shards.owners.get(shard) is not self or rows[shard].epoch != owned.epoch:
                self.lost.set()
                raise Fenced(shards)

    def _move(self, shards: Mapping[int, Owned], position: int, plan_version: int | None) -> None:
        """Move shards on."""
        rows = self._shards.rows
        for shard in shards:
            row = rows[shard]
            rows[shard] = replace(
                row,
                position=max(row.position, position),
                plan_version=row.plan_version if plan_version is None else plan_version,
            )

    def _owned(self) -> dict[int, Owned]:
        """Answer what this replica owns."""
        return {
            shard: self._shards.rows[shard]
            for shard, owner in self._shards.owners.items()
            if owner is self
        }

    def _gone(self) -> list[MemoryOwnership]:
        """Answer the others whose lease has run out."""
        now = self._shards.clock()
        return [r for r in self._shards.present if r is not self and r.lease_until < now]

    def _free_those_gone(self) -> bool:
        """Free the shards of those who are gone, and tell them; answers whether there were any."""
        gone = self._gone()
        for shard, owner in self._shards.owners.items():
            if owner in gone:
                self._shards.owners[shard] = None
        for replica in gone:
            self._shards.present.remove(replica)
            replica.lost.set()
        return bool(gone)

    def _due(self, gone: list[MemoryOwnership]) -> int:
        """Answer how many shards are due to this replica when some count no more."""
        live = [replica for replica in self._shards.present if replica not in gone]
        share, left = divmod(len(self._shards.rows), len(live))
        return share + (live.index(self) < left)
