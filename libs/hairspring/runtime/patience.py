"""Waits for what a process needs at its start."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hairspring.runtime.logging import get_logger

T = TypeVar("T")

PAUSE_SECONDS = 0.25


async def until_it_works(
    attempt: Callable[[], Awaitable[T]], *, seconds: float, errors: tuple[type[Exception], ...]
) -> T:
    """Attempt until it works, for so many seconds; the last error is raised then.

    Only the named errors are waited out; any other is raised at once.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    told = False
    while True:
        try:
            return await attempt()
        except errors as error:
            if loop.time() + PAUSE_SECONDS > end:
                raise
            if not told:
                get_logger().warning("start_waits", reason=str(error), at_most_seconds=seconds)
                told = True
        await asyncio.sleep(PAUSE_SECONDS)
