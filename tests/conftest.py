"""Real servers for every test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hairspring.embedded.mail import MailSink
from hairspring.embedded.mail import mail_sink as run_mail_sink
from hairspring.embedded.valkey import ValkeyServer, valkey
from hypothesis import HealthCheck, settings

from tests.support import servers
from tests.support.servers import TestPostgres

# How fast a busy machine draws an example says nothing about the product.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


@pytest_asyncio.fixture(scope="session")
async def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestPostgres]:
    """A Postgres for the session, of this worker alone unless HAIRSPRING_POSTGRES_URL names it."""
    async with servers.run_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest_asyncio.fixture
async def database_url(postgres_server: TestPostgres) -> AsyncIterator[str]:
    """The DSN of a new, empty database that is dropped after the test."""
    async with postgres_server.fresh_database() as url:
        yield url


@pytest_asyncio.fixture(scope="session")
async def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ValkeyServer]:
    """The bundled Valkey for the session, of this worker alone.

    A test may kill it and start it again; `redis_url` finds it running for the next one.
    """
    async with valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest_asyncio.fixture
async def redis_url(valkey_server: ValkeyServer) -> AsyncIterator[str]:
    """The URL of an empty Redis database that is emptied after the test.

    It is one of `valkey_server`, or of the server that HAIRSPRING_REDIS_URL names.
    """
    async with servers.empty_redis(valkey_server) as url:
        yield url


@pytest_asyncio.fixture
async def mail_sink(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailSink]:
    """A mail server that keeps what it is sent, in memory and on disk."""
    async with run_mail_sink(tmp_path_factory.mktemp("mail")) as sink:
        yield sink
