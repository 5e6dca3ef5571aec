"""Waiting for something to become so, without sleeping for luck."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    check: Callable[[], T | Awaitable[T]], timeout: float = 10.0, every: float = 0.01
) -> T:
    """Call `check` every few moments until what it returns is truthy, and return that.

    An exception, an `AssertionError` above all, counts as "not yet"; so `check` may either return
    a condition or make assertions and return True. Times are in seconds. Fails with the last
    value or exception once `timeout` has passed; `check` itself is cut off then too.
    """
    last: object = "nothing yet: the check did not return in time"
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    found = check()
                    value: T = await found if inspect.isawaitable(found) else found  # type: ignore[assignment]
                except Exception as error:
                    last = error
                else:
                    if value:
                        return value
                    last = value
                await asyncio.sleep(every)
    except TimeoutError:
        cause = last if isinstance(last, Exception) else None
        raise AssertionError(f"not so within {timeout:g} s; the last answer: {last!r}") from cause
