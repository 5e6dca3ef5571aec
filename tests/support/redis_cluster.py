"""A Redis Cluster of three bundled Valkeys, each the master of a third of the slots."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from hairspring.embedded.ports import free_port
from hairspring.embedded.valkey import ValkeyServer
from redis.asyncio import Redis

from tests.support.waiting import eventually

MASTERS = 3
SLOTS = 16_384
_OPTIONS = {
    "cluster-enabled": "yes",
    "cluster-node-timeout": "2000",
    "cluster-announce-ip": "127.0.0.1",
}


@asynccontextmanager
async def redis_cluster(directory: Path) -> AsyncIterator[list[ValkeyServer]]:
    """Run the cluster until the block ends."""
    async with AsyncExitStack() as stack:
        servers = []
        # By itself the port of the bus would be 10,000 higher, where there may be none.
        buses = [free_port() for _ in range(MASTERS)]
        for number, bus in enumerate(buses):
            options = {**_OPTIONS, "cluster-port": str(bus)}
            server = ValkeyServer(directory / f"node-{number}", options=options)
            stack.push_async_callback(server.stop)
            await server.start()
            servers.append(server)
        await _join(servers, buses)
        yield servers


async def _join(servers: list[ValkeyServer], buses: list[int]) -> None:
    for number, server in enumerate(servers):
        async with Redis.from_url(server.url) as redis:
            first, last = (SLOTS * part // MASTERS for part in (number, number + 1))
            await redis.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last - 1)
            await redis.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            for other, bus in zip(servers[:number], buses, strict=False):
                await redis.execute_command("CLUSTER", "MEET", "127.0.0.1", other.port, bus)
    for server in servers:
        await eventually(lambda server=server: _is_whole(server), timeout=30)


async def _is_whole(server: ValkeyServer) -> bool:
    async with Redis.from_url(server.url) as redis:
        info = await redis.execute_command("CLUSTER", "INFO")
    said = (
        info
        if isinstance(info, dict)
        else dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    )
    return said["cluster_state"] == "ok" and int(said["cluster_known_nodes"]) == MASTERS
