"""A cancellation that other people's code loses is kept."""

from __future__ import annotations

import asyncio

import pytest
from hairspring.runtime.cancelling import kept


class _Racing:
    """Work under `asyncio.wait_for` that ends just as whoever waits for it is cancelled."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def work(self) -> str:
        """Cancel the waiting task once this has ended, but before that has heard of it."""
        task, waiting = asyncio.current_task(), self.waiting
        assert task is not None
        task.add_done_callback(lambda _: waiting.cancel())
        if self._error is not None:
            raise self._error
        return "done"

    async def wait(self) -> str:
        """Wait for it as libraries do."""
        return await asyncio.wait_for(self.work(), 60)

    async def run(self, *, keeping: bool) -> str:
        """Run it in a task that is cancelled once."""

        async def serve() -> str:
            return await (kept(self.wait()) if keeping else self.wait())

        self.waiting = asyncio.create_task(serve())
        async with asyncio.timeout(10):
            return await self.waiting


async def test_the_cancellation_comes_after_the_work() -> None:
    """What the library turns into a result is raised all the same."""
    with pytest.raises(asyncio.CancelledError):
        await _Racing().run(keeping=True)


async def test_the_cancellation_goes_before_an_error() -> None:
    """Whoever is to end does not go on to mend what failed."""
    with pytest.raises(asyncio.CancelledError):
        await _Racing(OSError("away")).run(keeping=True)


async def test_results_and_errors_pass() -> None:
    """Where nobody cancels, it is as if it were not there."""

    async def fail() -> None:
        raise OSError("away")

    assert await kept(asyncio.sleep(0, "slept")) == "slept"
    with pytest.raises(OSError, match="away"):
        await kept(fail())


async def test_a_timeout_around_it_is_a_timeout() -> None:
    """Its own cancellation is not taken for somebody else's."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await kept(asyncio.Event().wait())
