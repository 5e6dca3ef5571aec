"""SDKs, and a collector that they send to."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hairspring.embedded.ports import free_port

from tests.integration.ingest.running import ingest_process
from tests.sdks import installed
from tests.sdks.sending import Collecting


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all of them unless they are asked for."""
    if not installed.WANTED:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="`make sdks` runs it"))


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the SDKs."""
    return installed.python_with_sdks(tmp_path_factory.mktemp("python-sdks"))


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of Node modules that has the SDKs."""
    return installed.node_with_sdks(tmp_path_factory.mktemp("node-sdks"))


@pytest_asyncio.fixture
async def collecting(database_url: str) -> AsyncIterator[Collecting]:
    """A running collector, that refuses connections while it is away."""
    async with ingest_process(database_url) as process:
        running = Collecting(process, f"127.0.0.1:{free_port()}")
        await running.start()
        yield running


@pytest_asyncio.fixture
async def kept(database_url: str) -> AsyncIterator[Collecting]:
    """A running collector on a socket that is kept for it while it is away."""
    with socket.create_server(("127.0.0.1", free_port()), backlog=1_024) as listening:
        async with ingest_process(database_url) as process:
            running = Collecting(process, f"127.0.0.1:{listening.getsockname()[1]}", listening)
            await running.start()
            yield running
