"""A replica that lags is promoted in place of its master: the last writes to Redis are lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hairspring.embedded.valkey import ValkeyServer
from hairspring.store.port import Key
from redis.asyncio import Redis

from tests.integration.rule_evaluator.alarm_owner import QUEUE, SHARDS, profiles, running
from tests.support.proxy import Proxy, proxy
from tests.support.waiting import eventually

HOUR = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A master, its replica, what lies between them, and the address that clients know."""

    master: ValkeyServer
    replica: ValkeyServer
    between: Proxy
    front: Proxy

    async def fail_over(self) -> None:
        """The master dies, the replica takes its place, and clients are led there."""
        await self.master.kill()
        async with Redis.from_url(self.replica.url) as redis:
            await redis.execute_command("REPLICAOF", "NO", "ONE")
        self.front.target_port = self.replica.port
        self.front.cut()


@asynccontextmanager
async def replicated(directory: Path) -> AsyncIterator[Pair]:
    """Run a master with a replica that has caught up."""
    master = ValkeyServer(directory / "master", options={"repl-diskless-sync-delay": "0"})
    replica = ValkeyServer(directory / "replica")
    try:
        await master.start()
        await replica.start()
        async with (
            proxy(master.port) as between,
            proxy(master.port) as front,
            Redis.from_url(replica.url) as redis,
        ):
            host, _, port = between.address.partition(":")
            await redis.execute_command("REPLICAOF", host, port)
            await eventually(lambda: _is_linked(redis))
            yield Pair(master=master, replica=replica, between=between, front=front)
    finally:
        await replica.stop()
        await master.stop()


async def test_a_replica_that_lags_takes_over(database_url: str, tmp_path: Path) -> None:
    """It is found to be another server, and filled from Postgres: nothing is missed or done twice.

    It lacks what was scheduled last, and still has as due what has rung since.
    """
    async with (
        replicated(tmp_path) as pair,
        Redis.from_url(pair.replica.url) as replica,
        running(database_url, f"redis://{pair.front.address}/0", ahead_ms=2 * HOUR) as owner,
    ):
        known = profiles("known", 40, 700, 900)
        await owner.arm(known)
        await eventually(lambda: _holds(replica, known))
        pair.between.hold_up()
        lost, far = profiles("lost", 40, 1_200, 2_000), profiles("far", 40, HOUR, HOUR)
        await owner.arm(lost | far)
        await eventually(lambda: owner.effects.total() >= 40)
        assert await _held(replica, lost | far) == 0
        assert await _holds(replica, known)

        await pair.fail_over()

        await eventually(lambda: owner.effects.total() >= 80)
        await eventually(lambda: _holds(replica, far))
        await eventually(lambda: _is_whole(replica))
        assert owner.effects == dict.fromkeys((key.profile for key in known | lost), 1)
        assert await _held(replica, known) == 0


async def _held(redis: Redis, keys: Iterable[Key]) -> int:
    """How many of these are due there."""
    pipe = redis.pipeline(transaction=False)
    for key in keys:
        pipe.zscore(f"{{{QUEUE}:{key.shard}}}:due", f"{key.workspace}/{key.profile}")
    return sum(score is not None for score in await pipe.execute())


async def _holds(redis: Redis, keys: dict[Key, int]) -> bool:
    return await _held(redis, keys) == len(keys)


async def _is_linked(redis: Redis) -> bool:
    return (await redis.info("replication"))["master_link_status"] == "up"


async def _is_whole(redis: Redis) -> bool:
    """Whether every shard was rebuilt on this very server."""
    server = (await redis.info("server"))["run_id"]
    marks = [
        await redis.hmget(f"{{{QUEUE}:{shard}}}:mark", "server", "whole") for shard in range(SHARDS)
    ]
    return all(mark == [server.encode(), b"1"] for mark in marks)
