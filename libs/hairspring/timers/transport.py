"""Carries scripts and commands to Redis or Valkey, many in one round trip."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hairspring.runtime.cancelling import kept
from hairspring.timers import batches
from hairspring.timers.port import QueueUnavailable
from hairspring.timers.scripts import Script

AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
    OSError,
)
"""Answers of a server that cannot serve now; everything else is a fault of ours."""

CLUSTER = "+cluster"
"""In the scheme of a URL: the server is one of a cluster."""

PACK = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a script is to do for one shard, and how many members that may touch."""

    shard: int
    given: tuple[Any, ...]
    weight: int


@contextmanager
def away_as_unavailable(place: str) -> Iterator[None]:
    """Turn the many ways in which the server at a place is away into QueueUnavailable."""
    try:
        yield
    except AWAY as error:
        raise QueueUnavailable(
            f"Redis at {place} does not answer ({str(error) or type(error).__name__})"
        ) from error


def describe(url: str) -> str:
    """Name the server that a URL leads to, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path


class Transport:
    """Knows the keys of each shard and speaks to the server.

    One script call serves many shards, since most of what a call costs is there for one as for
    all; on a cluster, where shards lie on different nodes, it serves one.
    """

    def __init__(self, client: Redis | RedisCluster, namespace: str, place: str = "") -> None:
        self._client: Any = client
        self._namespace = namespace
        self._place = place
        self._alone = isinstance(client, RedisCluster)
        self._keys: dict[int, tuple[bytes, bytes, bytes, bytes]] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, namespace: str, *, timeout_ms: int, connections: int
    ) -> AsyncIterator[Transport]:
        """Give a transport on a pool of its own; it connects when first used.

        A URL such as redis+cluster://host:port leads to a cluster, by any of its nodes.
        Raises ValueError for a URL that cannot be read.
        Nothing is tried twice: a claim whose answer was lost would only lease more.
        """
        seconds = timeout_ms / 1000
        limits: dict[str, Any] = {
            "max_connections": connections,
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
            "retry": Retry(NoBackoff(), 0),
        }
        client: Redis | RedisCluster
        if CLUSTER in url.partition("://")[0]:
            client = RedisCluster.from_url(url.replace(CLUSTER, "", 1), **limits)
        else:
            pool = BlockingConnectionPool.from_url(url, timeout=seconds, **limits)
            client = Redis.from_pool(pool)
        try:
            yield cls(client, namespace, describe(url))
        finally:
            await client.aclose()

    def keys(self, shard: int) -> tuple[bytes, bytes, bytes, bytes]:
        """Name the keys of a shard: mark, due, leased, tokens; one hash tag."""
        keys = self._keys.get(shard)
        if keys is None:
            tag = f"{{{self._namespace}:{shard}}}".encode()
            keys = (tag + b":mark", tag + b":due", tag + b":leased", tag + b":tokens")
            self._keys[shard] = keys
        return keys

    async def run(self, script: Script, calls: Sequence[Call], *shared: Any) -> list[bytes]:
        """Run a script for all calls; the source follows where a server forgot it.

        Each answer is packed, and is that of some neighbouring calls. `shared` are arguments for
        all of them.
        """
        commands = [
            (script.digest, *self._arguments(calls[part]), *shared) for part in self._parts(calls)
        ]
        replies = await self._send([("EVALSHA", *command) for command in commands])
        unknown = [i for i, reply in enumerate(replies) if _is_unknown(reply)]
        if unknown:
            again = [("EVAL", script.source, *commands[i][1:]) for i in unknown]
            for i, reply in zip(unknown, await self._send(again), strict=True):
                replies[i] = reply
        return self._checked(replies)

    def _parts(self, calls: Sequence[Call]) -> Iterator[slice]:
        """Choose which neighbouring calls one script serves."""
        if self._alone:
            return (slice(index, index + 1) for index in range(len(calls)))
        return batches.together([call.weight for call in calls])

    def _arguments(self, calls: Sequence[Call]) -> tuple[Any, ...]:
        """Name the keys of these calls, and pack what is given for each."""
        keys = [key for call in calls for key in self.keys(call.shard)]
        return (len(keys), *keys, PACK([call.given for call in calls]))

    async def pipe(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run plain commands in one round trip."""
        return self._checked(await self._send(commands))

    async def ping(self) -> None:
        """Return if the server answers; raises QueueUnavailable."""
        with away_as_unavailable(self._place):
            await kept(self._client.ping())

    async def _send(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        if not commands:
            return []
        pipe = self._client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        with away_as_unavailable(self._place):
            replies: list[Any] = await kept(pipe.execute(raise_on_error=False))
        return replies

    def _checked(self, replies: list[Any]) -> list[Any]:
        for reply in replies:
            if isinstance(reply, Exception):
                with away_as_unavailable(self._place):
                    raise reply
        return replies


def _is_unknown(reply: object) -> bool:
    return isinstance(reply, exceptions.NoScriptError)
