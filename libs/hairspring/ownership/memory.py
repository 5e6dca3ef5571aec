"""Ownership in memory, for tests and simulations in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hairspring.ownership.port import LEASE_MS, Fenced, Owned, Ownership


class MemoryShards:
    """The shards that replicas in one process share; `clock` answers ms since the epoch."""

    def __init__(self, count: int, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.rows = {
            shard: Owned(shard=shard, epoch=0, position=0, plan_version=0) for shard in range(count)
        }
        self.owners: dict[int, MemoryOwnership | None] = dict.fromkeys(range(count))
        self.changed = asyncio.Event()


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

    async def acquire(self) -> dict[int, Owned]:
        """Take what is free or whose owner's lease has run out."""
        self.renew()
        for shard, owner in self._shards.owners.items():
            if owner is None or owner.lease_until < self._shards.clock():
                if owner is not None:
                    owner.lost.set()
                row = self._shards.rows[shard]
                self._shards.rows[shard] = replace(row, epoch=row.epoch + 1)
                self._shards.owners[shard] = self
        owned = self._owned()
        if owned:
            self.lost.clear()
        return owned

    async def stand_by(self) -> dict[int, Owned]:
        """Wait for a release, or for a second to try again."""
        while not (owned := await self.acquire()):
            self._shards.changed.clear()
            try:
                await asyncio.wait_for(self._shards.changed.wait(), 1.0)
            except TimeoutError:
                continue
        return owned

    async def release(self) -> None:
        """Give everything back."""
        for shard in self._owned():
            self._shards.owners[shard] = None
        self._shards.changed.set()

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
