"""The log in Postgres keeps the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
from hairspring.log.postgres import PostgresLog

from tests.contract.log.linking_contract import MERGING, LinkingContract
from tests.contract.log.log_contract import LogContract
from tests.contract.log.opened import SCHEMA, open_log


class TestPostgres(LogContract):
    @pytest.fixture
    async def log(self, database_url: str) -> AsyncIterator[PostgresLog]:
        """An empty log in a database of its own."""
        async with open_log(database_url) as opened:
            yield opened.log

    @pytest.fixture
    async def connection(self, database_url: str, log: PostgresLog) -> AsyncIterator[object]:
        """A connection of its own to the same database."""
        connection = await asyncpg.connect(database_url)
        yield connection
        await connection.close()


class TestPostgresLinking(LinkingContract):
    @pytest.fixture
    async def linking(self, database_url: str) -> AsyncIterator[PostgresLog]:
        """An empty log that merges, in a database of its own."""
        async with open_log(database_url) as opened:
            yield PostgresLog(opened.pool, opened.notices, SCHEMA, merging=MERGING)

    @pytest.fixture
    async def connection(self, database_url: str, linking: PostgresLog) -> AsyncIterator[object]:
        """A connection of its own to the same database."""
        connection = await asyncpg.connect(database_url)
        yield connection
        await connection.close()


class TestPostgresOfAMergingService(TestPostgres):
    @pytest.fixture
    async def log(self, database_url: str) -> AsyncIterator[PostgresLog]:
        """An empty log that could merge, and is given nothing to merge."""
        async with open_log(database_url) as opened:
            yield PostgresLog(opened.pool, opened.notices, SCHEMA, merging=MERGING)
