"""A log in Postgres with all it needs, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from hairspring.database.migrations import migrate
from hairspring.database.notices import Notices
from hairspring.database.pool import open_pool
from hairspring.log.postgres import MIGRATIONS, PostgresLog

SCHEMA = "trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLog:
    """The log and what it stands on."""

    url: str
    pool: asyncpg.Pool
    notices: Notices
    log: PostgresLog


@asynccontextmanager
async def open_log(url: str, *, safety_poll: float = 1.0) -> AsyncIterator[OpenedLog]:
    """Make an empty log in the schema `trial`; `safety_poll` is in seconds."""
    async with open_pool(url, name="trial", max_size=16) as pool:
        await migrate(pool, SCHEMA, MIGRATIONS)
        async with Notices.open(url, name="trial") as notices:
            log = PostgresLog(pool, notices, SCHEMA, safety_poll=safety_poll)
            yield OpenedLog(url=url, pool=pool, notices=notices, log=log)
