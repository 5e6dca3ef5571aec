"""Watches from outside: who owns the shards, and what the services log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
from hairspring.database.pool import DRIVER_ERRORS
from redis.asyncio import Redis
from redis.exceptions import RedisError

_LOOK_SECONDS = 0.02
_ANSWER_SECONDS = 2.0
AWAY = DRIVER_ERRORS


class Watch:
    """Reads from Postgres, past all proxies, on a connection of its own."""

    def __init__(self, postgres_url: str) -> None:
        self._url = postgres_url
        self._connection: asyncpg.Connection | None = None
        self._busy = asyncio.Lock()

    async def owners(self, service: str) -> dict[int, int]:
        """How many shards each replica owns, by process id; 0 for those that have no owner.

        Raises one of AWAY while Postgres is away.
        """
        async with self._busy:
            connection = self._connection
            if connection is None or connection.is_closed():
                connection = await asyncpg.connect(self._url, timeout=_ANSWER_SECONDS)
                self._connection = connection
            rows = await connection.fetch(
                f"SELECT replica_id, count(*) AS shards FROM {service}.shards GROUP BY 1",
                timeout=_ANSWER_SECONDS,
            )
        return {_pid(row["replica_id"]): row["shards"] for row in rows}

    async def until_taken(self, service: str, pid: int, *, within: float) -> float:
        """Wait until others own all that a process owned; answers how long that took, in seconds.

        Answers infinity where it is not so within so many seconds.
        """
        began = time.monotonic()
        while (waited := time.monotonic() - began) < within:
            with suppress(*AWAY):
                owners = await self.owners(service)
                if owners and not owners.keys() & {0, pid}:
                    return time.monotonic() - began
            await asyncio.sleep(min(_LOOK_SECONDS, max(0.0, within - waited)))
        return float("inf")

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.terminate()


def _pid(replica_id: str | None) -> int:
    """The process id within the name of a replica."""
    return int(replica_id.rsplit("-", 2)[1]) if replica_id else 0


class LogReader:
    """Reads on in a log of JSON lines from where it stood when it was made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0

    def lines(self) -> Iterator[dict[str, Any]]:
        """The whole lines that have come since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._at += len(line)
                if line.startswith(b"{"):
                    yield json.loads(line)


async def until_whole(url: str, namespace: str, shards: int, *, within: float) -> float:
    """Wait until a delay queue in Redis is whole in every shard; answers the seconds that took.

    What was made whole on another server, of which this one has a copy, does not count. Answers
    infinity where it is not so within so many seconds.
    """
    began = time.monotonic()
    async with Redis.from_url(url) as redis:
        while time.monotonic() - began < within:
            pipe = redis.pipeline(transaction=False)
            for shard in range(shards):
                pipe.hmget(f"{{{namespace}:{shard}}}:mark", "whole", "server")
            with suppress(RedisError):
                here = (await redis.info("server"))["run_id"].encode()
                if all(mark == [b"1", here] for mark in await pipe.execute()):
                    return time.monotonic() - began
            await asyncio.sleep(_LOOK_SECONDS)
    return float("inf")


async def until_logged(
    readers: list[LogReader], enough: Callable[[dict[str, Any]], bool], *, within: float
) -> float:
    """Wait until `enough` has said yes to a line of these logs; answers the seconds that took.

    Answers infinity where none came within so many seconds.
    """
    began = time.monotonic()
    while time.monotonic() - began < within:
        for reader in readers:
            for line in reader.lines():
                if enough(line):
                    return time.monotonic() - began
        await asyncio.sleep(_LOOK_SECONDS)
    return float("inf")
