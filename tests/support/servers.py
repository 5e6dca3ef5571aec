"""Servers for tests: the bundled ones, or those that the environment names."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from hairspring.embedded.postgres import postgres
from hairspring.embedded.valkey import ValkeyServer
from redis.asyncio import Redis

POSTGRES_URL = "HAIRSPRING_POSTGRES_URL"
REDIS_URL = "HAIRSPRING_REDIS_URL"


class TestPostgres:
    """A Postgres on which each test gets an empty database of its own."""

    __test__ = False

    def __init__(self, url: str, connection: asyncpg.Connection) -> None:
        self.url = url
        self._connection = connection

    def url_of(self, database: str) -> str:
        """Give the DSN of another database of the same server."""
        return urlsplit(self.url)._replace(path=f"/{database}").geturl()

    @asynccontextmanager
    async def fresh_database(self) -> AsyncIterator[str]:
        """Make an empty database, yield its DSN, and drop it with whoever is connected."""
        name = f"hairspring_test_{secrets.token_hex(8)}"
        await self._connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield self.url_of(name)
        finally:
            await self._connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def run_postgres(directory: Path) -> AsyncIterator[TestPostgres]:
    """Connect to the Postgres that the environment names, or run the bundled one, not durable."""
    if url := os.environ.get(POSTGRES_URL):
        async with _administered(url) as server:
            yield server
        return
    async with postgres(directory, fsync=False) as bundled, _administered(bundled.url) as server:
        yield server


@asynccontextmanager
async def empty_redis(bundled: ValkeyServer) -> AsyncIterator[str]:
    """Yield the URL of an empty Redis database, and empty it after.

    It is one of the bundled server, unless the environment names another. There, what was in the
    database before the tests is not theirs to delete: the test fails then.
    """
    url = os.environ.get(REDIS_URL)
    if not url:
        await bundled.start()
        async with Redis.from_url(bundled.url) as redis:
            await redis.flushall()
        yield bundled.url
        return
    url = _of_this_worker(url)
    async with Redis.from_url(url) as redis:
        if await redis.dbsize():
            raise RuntimeError(f"The Redis database that {REDIS_URL} names is not empty.")
        try:
            yield url
        finally:
            await redis.flushdb()


def _of_this_worker(url: str) -> str:
    """Count up the database number, so that parallel workers do not share one."""
    parts = urlsplit(url)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return parts._replace(path=f"/{int(parts.path.strip('/') or 0) + worker}").geturl()


@asynccontextmanager
async def _administered(url: str) -> AsyncIterator[TestPostgres]:
    connection = await asyncpg.connect(url)
    try:
        yield TestPostgres(url, connection)
    finally:
        await connection.close()
