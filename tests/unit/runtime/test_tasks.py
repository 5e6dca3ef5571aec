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


async def test_who_ends_well_is_not_cut_off() -> None:
    """A loop that takes longer to end than others are given is let to, within its patience."""
    ended = []

    async def work(name: str, seconds: float) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(seconds)
            ended.append(name)

    async with Supervisor() as tasks:
        tasks.start("patient", lambda: work("patient", 0.3), patience=60)
        tasks.start("hasty", lambda: work("hasty", 60), patience=0.05)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert ended == ["patient"]


async def test_a_cancellation_that_was_lost_comes_again() -> None:
    """A loop that swallows its first cancellation is ended by a second one."""
    lost = 0

    async def work() -> None:
        nonlocal lost
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost += 1
        await asyncio.Event().wait()

    async with Supervisor() as tasks:
        task = tasks.start("stubborn", work, patience=0.05)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert lost == 1
    assert task.cancelled()


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
