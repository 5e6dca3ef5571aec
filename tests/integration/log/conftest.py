"""A log in a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contract.log.opened import OpenedLog, open_log


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[OpenedLog]:
    """An empty log in Postgres."""
    async with open_log(database_url) as log:
        yield log
