"""How the evaluators of a world find each other: by who owns what, each by its own name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from hairspring.ownership.memory import MemoryShards
from hairspring.ownership.reading import ShardReader, Standing
from hairspring.services.rule_evaluator.peers import Peers

from tests.simulation.channel import Channel, Peer
from tests.simulation.wire import Server, Wire


class Reader(ShardReader):
    """Reads who owns which shards, over a wire; a replica is reached by its id."""

    def __init__(self, wire: Wire, postgres: Server, shards: MemoryShards) -> None:
        self._wire = wire
        self._postgres = postgres
        self._shards = shards

    async def all(self) -> list[Standing]:
        """Read all shards."""
        return await self._wire.call(self._postgres, "standing", self._read)

    async def _read(self) -> list[Standing]:
        found = []
        for shard, row in self._shards.rows.items():
            owner = self._shards.owners[shard]
            name = "" if owner is None else owner.replica_id
            found.append(
                Standing(
                    shard=shard,
                    replica_id=name,
                    address=name,
                    epoch=row.epoch,
                    position=row.position,
                    plan_version=row.plan_version,
                )
            )
        return found


class Others(Peers):
    """The other evaluators, as one of them knows them; `own` is its id."""

    def __init__(
        self, own: str, reader: Reader, wire: Wire, peers: Callable[[], list[Peer]]
    ) -> None:
        super().__init__(reader, AsyncExitStack())
        self.own = own
        self.channels: list[Channel] = []
        self._wire = wire
        self._peers = peers

    async def channel(self, address: str) -> Any:
        """Make a channel to one of them; who is gone does not answer."""
        if address not in self._channels:
            channel: Any = Channel(self._wire, lambda: self._named(address))
            self._channels[address] = channel
            self.channels.append(channel)
        return self._channels[address]

    def _named(self, name: str) -> list[Peer]:
        return [peer for peer in self._peers() if peer.process.name == name]
