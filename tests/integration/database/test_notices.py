"""Notices wake those who listen, and survive the loss of their connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from hairspring.database.notices import Notices, wait_until_set
from hairspring.database.pool import open_pool

from tests.support.waiting import eventually


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a database of its own."""
    async with open_pool(database_url, name="trial") as opened:
        yield opened


@pytest.fixture
async def notices(database_url: str) -> AsyncIterator[Notices]:
    """The notices of a process."""
    async with Notices.open(database_url, name="trial") as opened:
        yield opened


async def woken(event: asyncio.Event) -> None:
    """Wait for a notice, and be ready for the next."""
    await asyncio.wait_for(event.wait(), 10)
    event.clear()


async def test_a_notice_wakes_all_of_its_channel_and_no_others(
    pool: asyncpg.Pool, notices: Notices
) -> None:
    """Every subscriber of the channel is woken."""
    async with (
        notices.subscribe("a") as first,
        notices.subscribe("a") as second,
        notices.subscribe("b") as other,
    ):
        await pool.execute("NOTIFY a")
        await woken(first)
        await woken(second)
        await pool.execute("NOTIFY b")
        await woken(other)
        assert not first.is_set()


async def test_who_leaves_is_not_woken(pool: asyncpg.Pool, notices: Notices) -> None:
    """After the block nothing is set, and a later subscriber of the channel is served."""
    async with notices.subscribe("a") as gone:
        pass
    async with notices.subscribe("a") as here:
        await pool.execute("NOTIFY a")
        await woken(here)
    assert not gone.is_set()


async def test_a_lost_connection_is_made_anew(pool: asyncpg.Pool, notices: Notices) -> None:
    """All are woken once after it, as they may have missed something, and served as before."""
    async with notices.subscribe("a") as first, notices.subscribe("b") as second:
        for _ in range(3):
            await eventually(
                lambda: pool.fetchval(
                    "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE application_name = 'trial-notices'"
                )
            )
            await woken(first)
            await woken(second)
            await pool.execute("NOTIFY a")
            await woken(first)


async def test_many_may_subscribe_at_once(pool: asyncpg.Pool, notices: Notices) -> None:
    """Subscriptions that begin at the same moment share the one connection."""

    async def one(number: int) -> None:
        async with notices.subscribe(f"channel_{number % 5}") as event:
            await pool.execute(f"NOTIFY channel_{number % 5}")
            await woken(event)

    await asyncio.gather(*(one(number) for number in range(40)))


async def test_waiting_ends_by_itself() -> None:
    """Without a notice the wait is over after its time."""
    async with asyncio.timeout(10):
        await wait_until_set(asyncio.Event(), 0.01)


async def test_a_channel_has_a_plain_name(notices: Notices) -> None:
    """Names go into SQL as they are, so they must be plain."""
    with pytest.raises(ValueError, match="cannot be"):
        async with notices.subscribe('a"; DROP'):
            pass
