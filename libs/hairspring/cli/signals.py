"""Runs until somebody says stop: Ctrl-C, SIGTERM, or a terminal that is closed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any

from hairspring.cli.output import say

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_signal(main: Coroutine[Any, Any, None], *, stopping: str = "") -> bool:
    """Run a coroutine; the first signal cancels it, a second one leaves at once.

    Returns whether it was ended by a signal. `stopping` is said when that comes. Children that
    are tied to this process end with it in either case.
    """
    return asyncio.run(_until_signal(main, stopping))


async def _until_signal(main: Coroutine[Any, Any, None], stopping: str) -> bool:
    task = asyncio.create_task(main, name="main")
    told = False

    def on_signal(number: int) -> None:
        nonlocal told
        if told:
            os._exit(128 + number)
        told = True
        if stopping:
            say(stopping)
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
    return told
