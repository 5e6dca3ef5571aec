"""A sender over HTTP for every test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from aiohttp import ClientSession

from tests.integration.ingest.running import Ingest


@pytest_asyncio.fixture
async def http(service: Ingest) -> AsyncIterator[ClientSession]:
    """A client of the running collector."""
    async with ClientSession(service.http) as session:
        yield session
