"""The tables of delivery in memory and in Postgres, each behind the ledger of a replica."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from hairspring.database.migrations import migrate
from hairspring.database.notices import Notices
from hairspring.database.pool import open_pool
from hairspring.ownership.memory import MemoryOwnership, MemoryShards
from hairspring.ownership.port import Ownership
from hairspring.ownership.postgres import MIGRATIONS as OWNERSHIP
from hairspring.ownership.postgres import PostgresOwnership, install_shards
from hairspring.services.delivery.adapters.memory import MemoryDeliveryStore
from hairspring.services.delivery.adapters.store import PostgresDeliveryStore
from hairspring.services.delivery.app import MIGRATIONS, SCHEMA
from hairspring.services.delivery.ledger import Ledger
from hairspring.services.delivery.store import DeliveryStore

from tests.support.cluster import now

SHARDS = 8


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A store, the ledger of a replica that owns every shard, and how its ownership stands."""

    store: DeliveryStore
    ledger: Ledger
    ownership: Ownership

    async def positions(self) -> list[int]:
        """Read how far each shard has come."""
        owned = await self.ownership.acquire()
        return [owned[shard].position for shard in sorted(owned)]


@asynccontextmanager
async def _in_memory() -> AsyncIterator[tuple[DeliveryStore, Ownership]]:
    yield MemoryDeliveryStore(), MemoryOwnership("me", MemoryShards(SHARDS, now))


@asynccontextmanager
async def _in_postgres(url: str) -> AsyncIterator[tuple[DeliveryStore, Ownership]]:
    async with open_pool(url, name="test") as pool, Notices.open(url, name="test") as notices:
        await migrate(pool, SCHEMA, OWNERSHIP, MIGRATIONS)
        await install_shards(pool, SCHEMA, SHARDS)
        async with PostgresOwnership.open(url, pool, notices, SCHEMA, "me") as ownership:
            yield PostgresDeliveryStore(pool, SCHEMA), ownership


@pytest.fixture(params=["memory", "postgres"])
async def kept(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Kept]:
    opened = _in_memory() if request.param == "memory" else _in_postgres(database_url)
    async with opened as (store, ownership):
        ledger = Ledger(store, ownership)
        ledger.take(await ownership.acquire())
        yield Kept(store=store, ledger=ledger, ownership=ownership)
