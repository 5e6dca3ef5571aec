"""Named loops that are started again after an error."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from hairspring.runtime.logging import get_logger

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
ASK_AGAIN_SECONDS = 0.5
CALM_SECONDS = 30.0
"""A loop that ran this long before its error is started again without the pauses of the past."""


class Supervisor:
    """Runs loops as named tasks; an error is logged and the loop started again after a pause.

    Used as an async context manager: leaving it cancels what still runs and waits for its end.
    """

    def __init__(self) -> None:
        self._patience: dict[asyncio.Task[None], float] = {}
        self._log = get_logger()

    async def __aenter__(self) -> "Supervisor":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def start(
        self,
        name: str,
        work: Callable[[], Awaitable[None]],
        *,
        patience: float = ASK_AGAIN_SECONDS,
    ) -> asyncio.Task[None]:
        """Run the work under this name until it returns; its errors do not end it.

        `patience` is how long it may take to end, in seconds, before it is asked again: the second
        time cuts off what it does to end well.
        """
        task = asyncio.create_task(self._keep(name, work), name=name)
        self._patience[task] = patience
        task.add_done_callback(self._patience.pop)
        return task

    async def stop(self) -> None:
        """Cancel every loop and wait until all have ended.

        They are asked again now and then: a cancellation that comes just as something else ends
        can be lost on the way (asyncio.wait_for of Python 3.11 does so).
        """
        patience = dict(self._patience)
        clock = asyncio.get_running_loop().time
        ask_at = dict.fromkeys(patience, clock())
        while tasks := [task for task in patience if not task.done()]:
            for task in tasks:
                if clock() >= ask_at[task]:
                    task.cancel()
                    ask_at[task] = clock() + patience[task]
            wait = max(min(ask_at[task] for task in tasks) - clock(), 0)
            await asyncio.wait(tasks, timeout=wait)

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await work()
                return
            except Exception:
                if loop.time() - began > CALM_SECONDS:
                    pause = FIRST_PAUSE
                self._log.exception("task_failed", task=name, again_in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
