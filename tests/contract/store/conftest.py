"""The store in memory and in Postgres, each with what it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hairspring.database.migrations import migrate
from hairspring.database.notices import Notices
from hairspring.database.pool import open_pool
from hairspring.log import postgres as log_postgres
from hairspring.log.memory import MemoryLog
from hairspring.log.port import Log
from hairspring.log.postgres import PostgresLog
from hairspring.ownership import postgres as ownership_postgres
from hairspring.ownership.memory import MemoryOwnership, MemoryShards
from hairspring.ownership.port import Owned
from hairspring.ownership.postgres import PostgresOwnership, install_shards
from hairspring.store import postgres as store_postgres
from hairspring.store.memory import MemoryStore
from hairspring.store.port import SegmentStore
from hairspring.store.postgres import PostgresStore

from tests.support.cluster import now


@asynccontextmanager
async def _in_memory() -> AsyncIterator[tuple[SegmentStore, dict[int, Owned], Log]]:
    ownership = MemoryOwnership("me", MemoryShards(4, now))
    log = MemoryLog(now)
    yield MemoryStore(ownership, log), await ownership.acquire(), log


@asynccontextmanager
async def _in_postgres(url: str) -> AsyncIterator[tuple[SegmentStore, dict[int, Owned], Log]]:
    async with open_pool(url, name="test") as pool, Notices.open(url, name="test") as notices:
        sources = (log_postgres, ownership_postgres, store_postgres)
        await migrate(pool, "s", *(source.MIGRATIONS for source in sources))
        await install_shards(pool, "s", 4)
        async with PostgresOwnership.open(url, pool, notices, "s", "me") as ownership:
            log = PostgresLog(pool, notices, "s")
            yield PostgresStore(pool, "s", ownership, log), await ownership.acquire(), log


@pytest.fixture(params=["memory", "postgres"])
async def kept(
    request: pytest.FixtureRequest, database_url: str
) -> AsyncIterator[tuple[SegmentStore, dict[int, Owned], Log]]:
    opened = _in_memory() if request.param == "memory" else _in_postgres(database_url)
    async with opened as made:
        yield made
