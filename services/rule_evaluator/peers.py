"""The other replicas of the evaluator: which shards they own, and channels to them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
from hairspring.ownership.reading import ShardReader
from hairspring.runtime.client import open_channel
from hairspring.runtime.server import Serving, split_address

KNOWN_SECONDS = 1.0
"""How long what was read is believed; whoever is asked in vain has it read anew at once."""

_EVERYWHERE = ("0.0.0.0", "[::]", "::")


class Peers:
    """Finds the owner of a shard. `own` is where this replica is reached itself."""

    def __init__(self, shards: ShardReader, stack: AsyncExitStack, token: str = "") -> None:
        self.own = ""
        self._shards = shards
        self._stack = stack
        self._token = token
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._addresses: dict[int, str] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, shards: ShardReader, token: str) -> AsyncIterator["Peers"]:
        """Keeps channels, which bear a token, until the end of the block."""
        async with AsyncExitStack() as stack:
            yield cls(shards, stack, token)

    async def address_of(self, shard: int) -> str:
        """Where another replica that owns a shard is reached, as host:port; empty for nowhere."""
        async with self._reading:
            time = asyncio.get_running_loop().time
            if time() - self._read_at > KNOWN_SECONDS:
                standing = await self._shards.all()
                self._addresses = {one.shard: one.address for one in standing}
                self._read_at = time()
        address = self._addresses.get(shard, "")
        return "" if address == self.own else address

    def forget(self) -> None:
        """Has the owners read anew before the next answer."""
        self._read_at = float("-inf")

    async def channel(self, address: str) -> grpc.aio.Channel:
        """A channel to a replica, the same one each time."""
        if address not in self._channels:
            channel = open_channel(address, self._token)
            self._channels[address] = channel
            self._stack.push_async_callback(channel.close)
        return self._channels[address]


def own_address(told: str, listen: str, serving: Serving) -> str:
    """Where others reach this replica: as told, else where it listens, as host:port.

    Where it listens on all addresses of its machine, the one of the machine's name is taken.
    """
    host, _ = split_address(listen)
    if told or host not in _EVERYWHERE:
        return told or serving.address
    try:
        return f"{socket.gethostbyname(socket.gethostname())}:{serving.port}"
    except OSError:
        return serving.address
