"""Reads what blocks beside an event loop, which goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_AHEAD = 2


async def read_ahead(items: Iterator[T]) -> AsyncIterator[T]:
    """Give the items of an iterator whose next item may be long in coming, such as a pipe's.

    It runs in a thread of its own, two items ahead at most, and what it raises is raised here. The
    thread does not hold up the end of the process: nobody can cut a read from a pipe short.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)
    left = threading.Event()

    def hand(one: tuple[T] | BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(ready.put_nowait, one)

    def read() -> None:
        try:
            for item in items:
                room.acquire()
                if left.is_set():
                    return
                hand((item,))
        except BaseException as error:
            hand(error)
        else:
            hand(None)

    threading.Thread(target=read, name="read-ahead", daemon=True).start()
    try:
        while (one := await ready.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            yield one[0]
            room.release()
    finally:
        left.set()
        room.release()
