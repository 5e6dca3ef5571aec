"""An event loop without a world behind it: its clock is virtual, and chance is a seed.

When nothing is ready, time jumps to the next timer: nothing sleeps, and there are no sockets. Every
callback belongs to a process, the one in whose context it was made. Which process runs next is
drawn; within one, callbacks run in the order in which they became ready, as asyncio promises. A
process that is stopped runs nothing until it goes on: then it finds all that came meanwhile. One
that is killed is stopped for good, so none of its `finally` and `except` has any effect.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from itertools import count
from typing import Any
from zlib import crc32

#: What a virtual clock shows at the beginning, in milliseconds, UTC.
BEGIN_MS = 1_790_000_000_000


class Stuck(Exception):
    """Nothing is ready and no timer is set: whoever waits would wait for ever."""


class Call:
    """A callback to be run once, unless it is cancelled: what asyncio needs of its handles."""

    __slots__ = ("args", "callback", "context")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context
    ) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args = args
        self.context = context

    def cancel(self) -> None:
        """Have it never run."""
        self.callback = None


class Process:
    """Callbacks that stop together, as those of one process of an operating system do."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.running = True
        self.killed = False
        self.ready: deque[Call] = deque()
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.context: Context = copy_context()
        self.context.run(_process.set, self)

    def __repr__(self) -> str:
        return f"<{self.name}>"


_process: ContextVar[Process] = ContextVar("process")


class _Task(asyncio.Task[Any]):
    """A task whose place in a set is that of its number, not that of its address."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks of processes in an order, and at times, that the seed alone decides."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance.random
        self._now = 0.0
        self._timers: list[tuple[float, int, Call, Process]] = []
        self._timer_numbers = count()
        self._task_numbers = count(1)
        self._process_numbers = count(1)
        self._runnable: list[Process] = []
        self._stopping = False
        self.steps = 0
        self.trace = 0
        self.failures: list[dict[str, Any]] = []
        self.tell: Callable[[str], None] | None = None
        self.main = Process("world", 0)
        self.processes = [self.main]
        self.set_task_factory(self._make_task)
        self.set_exception_handler(lambda _, failure: self.failures.append(failure))

    def time(self) -> float:
        """Answer the virtual time in seconds."""
        return self._now

    def now_ms(self) -> int:
        """Answer the virtual time in milliseconds since the epoch, UTC."""
        # A time that is a sum of floats may lie a hair below the millisecond it stands for.
        return BEGIN_MS + int(self._now * 1000 + 1e-6)

    def note(self, text: str) -> None:
        """Add something to the trace by which two runs are compared."""
        self.trace = hash((self.trace, crc32(text.encode())))
        if self.tell is not None:
            self.tell(f"{self.where()} {text}")

    def where(self) -> str:
        """Say when it is, in milliseconds since the beginning, and which process runs."""
        return f"{self.now_ms() - BEGIN_MS:6} {self.current().name:12}"

    def current(self) -> Process:
        """Answer the process that runs."""
        return _process.get(self.main)

    def process(self, name: str) -> Process:
        """Begin a process."""
        process = Process(name, next(self._process_numbers))
        self.processes.append(process)
        return process

    def spawn(
        self, process: Process, work: Coroutine[Any, Any, Any], name: str = "main"
    ) -> asyncio.Task[Any]:
        """Run a coroutine in a process."""
        return self.create_task(work, name=f"{process.name}:{name}", context=process.context)

    def pause(self, process: Process) -> None:
        """Let a process run nothing until it goes on."""
        process.running = False
        if process in self._runnable:
            self._runnable.remove(process)

    def go_on(self, process: Process) -> None:
        """Let a paused process go on, with all that came meanwhile."""
        if not process.running and not process.killed:
            process.running = True
            if process.ready:
                self._runnable.append(process)

    def kill(self, process: Process) -> None:
        """Stop a process for good."""
        self.pause(process)
        process.killed = True

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        """Have a callback run by the process whose context this is."""
        if context is None:
            context = copy_context()
        call = Call(callback, args, context)
        self._enqueue(context.get(_process) or self.main, call)
        return call

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        """Do the same: there are no threads here."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Any:
        """Have a callback run after `delay` seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Any:
        """Have a callback run at a virtual time in seconds."""
        if context is None:
            context = copy_context()
        timer = Call(callback, args, context)
        process = context.get(_process) or self.main
        heappush(self._timers, (when, next(self._timer_numbers), timer, process))
        return timer

    def unwind(self) -> None:
        """End every task, those of killed processes too, so that nothing is left behind."""
        for process in self.processes:
            process.killed = False
            self.go_on(process)
        self.failures.clear()
        self.run_until_complete(self._unwound())
        self.run_until_complete(self.shutdown_asyncgens())

    async def _unwound(self) -> None:
        me = asyncio.current_task()
        while True:
            tasks = [task for process in self.processes for task in process.tasks if task is not me]
            if not tasks:
                return
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0.5)

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **more: Any
    ) -> asyncio.Task[Any]:
        context = more.get("context")
        if context is None:
            context = copy_context()
        process = context.get(_process) or self.main
        task = _Task(work, loop=self, **more)
        task.number = next(self._task_numbers)
        process.tasks[task] = None
        task.add_done_callback(process.tasks.pop, context=self.main.context)
        return task

    def _enqueue(self, process: Process, call: Call) -> None:
        process.ready.append(call)
        if len(process.ready) == 1 and process.running:
            self._runnable.append(process)

    def _run_once(self) -> None:
        """Run callbacks until the loop is to stop."""
        timers, runnable, chance = self._timers, self._runnable, self._chance
        while not self._stopping:
            if not runnable:
                self._move_on()
            while timers and timers[0][0] <= self._now:
                _, _, timer, process = heappop(timers)
                if timer.callback is not None:
                    self._enqueue(process, timer)
            if not runnable:
                continue
            index = int(chance() * len(runnable)) if len(runnable) > 1 else 0
            process = runnable[index]
            call = process.ready.popleft()
            if not process.ready:
                runnable[index] = runnable[-1]
                runnable.pop()
            callback = call.callback
            if callback is not None:
                self.steps += 1
                self.trace = hash((self.trace, process.number, self._now))
                try:
                    call.context.run(callback, *call.args)
                except Exception as error:
                    self.failures.append({"message": f"{callback} failed", "exception": error})

    def _move_on(self) -> None:
        """Move the clock to the next timer."""
        timers = self._timers
        while timers and timers[0][2].callback is None:
            heappop(timers)
        if not timers:
            raise Stuck("everybody waits for somebody else")
        self._now = max(self._now, timers[0][0])

    def _write_to_self(self) -> None:
        """Wake nobody: nobody sleeps."""

    def _process_events(self, event_list: Any) -> None:
        """Have nothing to do: there are no sockets."""
