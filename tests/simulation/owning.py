"""Ownership and notices as a process sees them over a wire: late, and learnt of late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from hairspring.ownership.memory import MemoryOwnership, MemoryShards
from hairspring.ownership.port import Fenced, Owned, Ownership

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
        """Prove ownership in a transaction of delivery; the store of the evaluator does it itself.

        Whoever asks for these rows waits for what is in doubt on them.
        """

        async def prove() -> None:
            self._wire.settle_doubts()
            await self.row.fence(connection, shards, position, plan_version=plan_version)

        try:
            await self._wire.call(self._postgres, f"fence {self.replica_id}", prove)
        except Fenced:
            self.lost.set()
            raise
