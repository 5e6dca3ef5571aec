"""Keeps a cancellation that somebody else's code loses on the way."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def kept(work: Awaitable[T]) -> T:
    """Await what may lose a cancellation, and raise CancelledError after it then.

    `asyncio.wait_for` of Python 3.11 gives its result instead, where the cancellation comes in the
    moment between the end of the work and the waking of whoever waits for it. Libraries that we
    call use it: the client of Redis for each command that it sends, aiosmtplib for each answer.
    Likewise a task of ours that fails in that moment gives its error.
    Who is cancelled once and loses that goes on for ever, and so does whoever waits for its end.
    """
    task = asyncio.current_task()
    asked = 0 if task is None else task.cancelling()
    try:
        done = await work
    except Exception as error:
        if task is not None and task.cancelling() > asked:
            raise asyncio.CancelledError from error
        raise
    if task is not None and task.cancelling() > asked:
        raise asyncio.CancelledError
    return done
