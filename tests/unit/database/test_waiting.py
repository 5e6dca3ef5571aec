"""Waiting for a notice with a slow poll beside it."""

from __future__ import annotations

import asyncio

import pytest
from hairspring.database.notices import wait_until_set


async def test_it_ends_with_the_event_or_with_the_time() -> None:
    """Either way it returns, and says nothing."""
    event = asyncio.Event()
    await wait_until_set(event, 0.001)
    event.set()
    await wait_until_set(event, 60.0)


async def test_a_cancellation_that_comes_with_the_event_is_not_lost() -> None:
    """Whoever is told to end does, though the notice came in the same moment."""
    event = asyncio.Event()

    async def follow() -> None:
        while True:
            await wait_until_set(event, 60.0)
            event.clear()

    for rounds in range(5):
        following = asyncio.create_task(follow())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        event.set()
        for _ in range(rounds):
            await asyncio.sleep(0)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await following
