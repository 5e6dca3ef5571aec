"""Loops that outlive their errors, and waits at the start."""

from __future__ import annotations

import asyncio

import pytest
from hairspring.runtime.patience import until_it_works
from hairspring.runtime.tasks import Supervisor


async def test_a_loop_is_started_again_after_an_error() -> None:
    """It fails twice and works the third time, under its name."""
    runs: list[str] = []

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        runs.append(task.get_name())
        if len(runs) < 3:
            raise ValueError("not yet")

    async with Supervisor() as tasks:
        await tasks.start("evens", work)
    assert runs == ["evens"] * 3


async def test_leaving_cancels_what_still_runs() -> None:
    """A loop without end is cancelled, and its clean-up has run when the block is left."""
    ended = False

    async def work() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            ended = True

    async with Supervisor() as tasks:
        task = tasks.start("endless", work)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert task.cancelled()
    assert ended


async def test_a_start_waits_for_what_it_needs_and_not_for_ever() -> None:
    """It works once the other side does; else the last error is raised."""
    left = 2

    async def attempt() -> str:
        nonlocal left
        left -= 1
        if left >= 0:
            raise ConnectionError(f"{left}")
        return "there"

    assert await until_it_works(attempt, seconds=5, errors=(ConnectionError,)) == "there"
    left = 10**6
    with pytest.raises(ConnectionError):
        await until_it_works(attempt, seconds=0.3, errors=(ConnectionError,))
    left = 10**6
    with pytest.raises(ConnectionError):
        await until_it_works(attempt, seconds=5, errors=(KeyError,))
