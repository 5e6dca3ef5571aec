"""The one door for effects: in turn, and only while we own the shards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from hairspring.ownership.port import Fenced, Owned, Ownership
from hairspring.services.delivery.store import DeliveryStore


class Ledger:
    """Begins the transactions of this replica, each with the fence of ownership.

    What is decided from rows is decided in a turn: nobody else of this process writes meanwhile,
    and the fence of the effect that follows proves that nobody else at all did.

    An effect of our own whose connection broke may still be under way on the server. The next turn
    first waits for its end, by a fence: who read sooner would decide by rows that are of the past.
    """

    def __init__(self, store: DeliveryStore, ownership: Ownership) -> None:
        self._store = store
        self._ownership = ownership
        self._owned: dict[int, Owned] = {}
        self._turns = asyncio.Lock()
        self._in_doubt = False

    @property
    def owned(self) -> Mapping[int, Owned]:
        """The shards that this replica works on."""
        return self._owned

    def epochs(self) -> dict[int, int]:
        """Answer the shards that this replica works on, with the epochs it owns them under."""
        return {shard: owned.epoch for shard, owned in self._owned.items()}

    def take(self, owned: Mapping[int, Owned]) -> None:
        """Work on these shards from now on, and on no others."""
        self._owned = dict(owned)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until it is our turn to decide and to write. Raises Fenced."""
        async with self._turns:
            if self._in_doubt and self._owned:
                async with self.effect(self._owned):
                    pass
                self._in_doubt = False
            yield

    @asynccontextmanager
    async def effect(self, shards: Iterable[int], position: int = 0) -> AsyncIterator[Any]:
        """Open a transaction on these shards and move them on to `position`, never back.

        Yields its connection. Raises Fenced if any of the shards is not ours any more.
        """
        wanted = set(shards)
        if not wanted <= self._owned.keys():
            raise Fenced(wanted - self._owned.keys())
        fenced = {shard: self._owned[shard] for shard in sorted(wanted)}
        try:
            async with self._store.begin() as connection:
                await self._ownership.fence(connection, fenced, position)
                yield connection
        except Fenced:
            raise
        except BaseException:
            self._in_doubt = True
            raise
