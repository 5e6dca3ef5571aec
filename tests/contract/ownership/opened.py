"""Shards in Postgres with all that replicas need, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import asyncpg
from hairspring.database.migrations import migrate
from hairspring.database.notices import Notices
from hairspring.database.pool import open_pool
from hairspring.ownership.port import LEASE_MS, Ownership
from hairspring.ownership.postgres import MIGRATIONS, PostgresOwnership, install_shards

SCHEMA = "trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedShards:
    """A database with shards, and the way to become a replica."""

    url: str
    pool: asyncpg.Pool
    notices: Notices

    def replica(
        self, name: str, lease_ms: int = LEASE_MS
    ) -> AbstractAsyncContextManager[PostgresOwnership]:
        """Become a replica; its lease is in ms."""
        return PostgresOwnership.open(
            self.url, self.pool, self.notices, SCHEMA, name, lease_ms=lease_ms
        )

    async def effect(self, replica: Ownership, *arguments: object, **more: object) -> None:
        """Fence in a transaction and commit it."""
        async with self.pool.acquire() as connection, connection.transaction():
            await replica.fence(connection, *arguments, **more)


@asynccontextmanager
async def open_shards(
    url: str, count: int = 16, name: str = "trial"
) -> AsyncIterator[OpenedShards]:
    """Make shards in the schema `trial`."""
    async with open_pool(url, name=name) as pool, Notices.open(url, name=name) as notices:
        await migrate(pool, SCHEMA, MIGRATIONS)
        await install_shards(pool, SCHEMA, count)
        yield OpenedShards(url=url, pool=pool, notices=notices)
