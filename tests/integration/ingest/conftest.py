"""A running ingest for every test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.ingest.running import Ingest, IngestProcess, ingest, ingest_process


@pytest_asyncio.fixture
async def service(database_url: str) -> AsyncIterator[Ingest]:
    """Ingest inside this process, on a database of its own."""
    async with ingest(database_url) as running:
        yield running


@pytest_asyncio.fixture
async def process(database_url: str) -> AsyncIterator[IngestProcess]:
    """Ingest as a process of its own, started and ready."""
    async with ingest_process(database_url) as running:
        await running.start()
        yield running
