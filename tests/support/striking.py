"""Cancels a task at a chosen suspension, to find the awaits that lose a cancellation."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any


class Striker:
    """Counts the suspensions of our tasks, and cancels the task that makes the one it is set on.

    It is cancelled once, in one of two moments: while it waits, or when what it waits for is done
    and it has not been woken yet. That is when `asyncio.wait_for` of Python 3.11 gives a result
    instead. Tasks of libraries are left alone, as nobody but they themselves would cancel them.
    """

    def __init__(self, at: int, *, waking: bool) -> None:
        self.victim: asyncio.Task[Any] | None = None
        self.where = "nothing was struck"
        self.seen = 0
        self.struck = asyncio.Event()
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._at = at
        self._waking = waking
        self._resting = False

    def __enter__(self) -> Striker:
        self._loop = asyncio.get_running_loop()
        self._loop.set_task_factory(self._make)
        return self

    @property
    def reached(self) -> bool:
        """Whether there were so many suspensions."""
        return self.victim is not None

    def __exit__(self, *_: object) -> None:
        self._loop.set_task_factory(None)

    def watch(self, work: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
        """Run a coroutine in a task that may be struck."""
        watched = _Watched(work, self)
        watched.task = asyncio.Task(watched, **more)
        self.tasks.add(watched.task)
        return watched.task

    def suspended(self, task: asyncio.Task[Any], future: Any) -> None:
        """Note that a task waits for a future, or only for its next turn."""
        self.seen += 1
        if self.seen != self._at or self._resting:
            return
        self.victim = task
        self.where = _stack(task)
        if self._waking and future is not None:
            future.add_done_callback(self._strike)
        else:
            self._loop.call_soon(self._strike)

    def rest(self) -> None:
        """Strike no more, though what the victim waits for should come to an end."""
        self._resting = True

    def _strike(self, _: object = None) -> None:
        if self._resting or self.victim is None:
            return
        self.victim.cancel()
        self.struck.set()

    def _make(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **more: Any
    ) -> asyncio.Task[Any]:
        frame = getattr(work, "cr_frame", None)
        if frame is None or not frame.f_globals.get("__name__", "").startswith("hairspring."):
            return asyncio.Task(work, loop=loop, **more)
        return self.watch(work, loop=loop, **more)


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine whose suspensions are counted."""

    task: asyncio.Task[Any]

    def __init__(self, work: Coroutine[Any, Any, Any], striker: Striker) -> None:
        self._work = work
        self._striker = striker

    def send(self, value: Any) -> Any:
        future = self._work.send(value)
        self._striker.suspended(self.task, future)
        return future

    def throw(
        self,
        kind: Any,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
    ) -> Any:
        error = kind if isinstance(kind, BaseException) else value or kind()
        future = self._work.throw(error)
        self._striker.suspended(self.task, future)
        return future

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)


async def strike(
    at: int,
    *,
    waking: bool,
    start: Callable[[], Coroutine[Any, Any, None]],
    settled: Callable[[], Awaitable[object]],
    seconds: float = 20,
) -> Striker:
    """Run `start` in a task, strike at its suspension `at`, then cancel the task, each once.

    `settled` returns once there is nothing more to strike at, and is cut off by the strike. Fails
    where either the task that was struck or the one that was started does not end in time.
    """
    with Striker(at, waking=waking) as striker:
        root = striker.watch(start(), name="root")
        struck = asyncio.create_task(striker.struck.wait(), name="struck")
        settling = asyncio.ensure_future(settled())
        await asyncio.wait(
            {root, struck, settling}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for task in (struck, settling):
            task.cancel()
        if striker.victim is not None and striker.struck.is_set():
            await _ends(striker.victim, striker, seconds)
        if not (root is striker.victim and striker.struck.is_set()):
            striker.rest()
            root.cancel()
        await _ends(root, striker, seconds)
    return striker


async def _ends(task: asyncio.Task[Any], striker: Striker, seconds: float) -> None:
    """Fail, and tell where it hangs, unless the task ends in time."""
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if done:
        return
    waiting = [_stack(one) for one in asyncio.all_tasks() if one is not asyncio.current_task()]
    for one in striker.tasks:
        one.cancel()
    told = "\n".join(waiting)
    raise AssertionError(f"{task.get_name()} does not end, struck: {striker.where}\n{told}")


def _stack(task: asyncio.Task[Any]) -> str:
    """Tell where a task waits, the innermost await last."""
    coroutine: Any = task.get_coro()
    found = []
    while coroutine is not None and getattr(coroutine, "cr_frame", None) is not None:
        frame = coroutine.cr_frame
        found.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        coroutine = coroutine.cr_await
    return f"{task.get_name()}: {' > '.join(found)}"
