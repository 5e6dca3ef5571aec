"""Carries scripts and commands to Redis or Valkey, many in one round trip."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hairspring.runtime.cancelling import kept
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

Call = tuple[int, tuple[Any, ...]]
"""A shard, and the arguments of a script for it."""


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
    """Knows the keys of each shard and speaks to the server; no call spans two shards."""

    def __init__(self, client: Redis | RedisCluster, namespace: str, place: str = "") -> None:
        self._client: Any = client
        self._namespace = namespace
        self._place = place
        self._keys: dict[int, tuple[str, str, str, str]] = {}

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

    def keys(self, shard: int) -> tuple[str, str, str, str]:
        """Name the keys of a shard: mark, due, leased, tokens; one hash tag."""
        keys = self._keys.get(shard)
        if keys is None:
            tag = f"{{{self._namespace}:{shard}}}"
            keys = (f"{tag}:mark", f"{tag}:due", f"{tag}:leased", f"{tag}:tokens")
            self._keys[shard] = keys
        return keys

    async def run(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """Run a script once for each call; the source follows where a server forgot it."""
        replies = await self._send(
            [("EVALSHA", script.digest, 4, *self.keys(shard), *args) for shard, args in calls]
        )
        unknown = [i for i, reply in enumerate(replies) if _is_unknown(reply)]
        if unknown:
            again = [
                ("EVAL", script.source, 4, *self.keys(shard), *args)
                for shard, args in (calls[i] for i in unknown)
            ]
            for i, reply in zip(unknown, await self._send(again), strict=True):
                replies[i] = reply
        return self._checked(replies)

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
