"""One replica of delivery: stands by until it owns shards, then works on them until it does not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from hairspring.database.pool import DRIVER_ERRORS, DatabaseUnavailable
from hairspring.ownership.port import Ownership
from hairspring.runtime.clock import Clock
from hairspring.runtime.logging import get_logger
from hairspring.runtime.metrics import SHARDS_ACQUIRED
from hairspring.runtime.tasks import Supervisor
from hairspring.services.delivery.follower import Follower
from hairspring.services.delivery.ledger import Ledger
from hairspring.services.delivery.ringing import Ringing
from hairspring.services.delivery.waits import Waits
from hairspring.timers.loop import LoopSettings, TimerLoop
from hairspring.timers.port import DelayQueue, QueueUnavailable

LOOP = LoopSettings(batch=128, lease_ms=300_000)
"""The lease outlives the slowest mail server; a take-over voids it."""

STRAY_SECONDS = 5.0
PROGRESS_SECONDS = 2.0
REST_SECONDS = 1.0

log = get_logger()


class Replica:
    """Owns shards and runs the loops that work on them."""

    def __init__(
        self,
        *,
        ownership: Ownership,
        ledger: Ledger,
        queue: DelayQueue,
        waits: Waits,
        follower: Follower,
        ringing: Ringing,
        clock: Clock,
        drain_seconds: float,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ownership = ownership
        self._ledger = ledger
        self._queue = queue
        self._waits = waits
        self._follower = follower
        self._ringing = ringing
        self._clock = clock
        self._drain_seconds = drain_seconds
        self._steady = steady

    async def run(self) -> None:
        """Stand by, work, and stand by again, without end. Cancel it to have it drain and end."""
        while True:
            self._ledger.take(await self._ownership.stand_by())
            SHARDS_ACQUIRED.inc(len(self._ledger.owned))
            try:
                await self._work()
            finally:
                self._ledger.take({})
            if self._ownership.lost.is_set():
                log.warning("work_stopped", reason="the shards have another owner")
                await asyncio.sleep(REST_SECONDS)

    async def release(self) -> None:
        """Hand the shards over; call it once `run` has ended."""
        try:
            await self._ownership.release()
        except (*DRIVER_ERRORS, DatabaseUnavailable) as error:
            log.warning("shards_not_released", error=str(error))

    async def _work(self) -> None:
        """Work on what is owned until it is lost, or is to be shared anew.

        On that, as on cancellation, what is in hand is finished.
        """
        await self._ringing.settle_interrupted()
        await self._take_queue()
        loop = TimerLoop(
            self._queue,
            epochs=self._ledger.epochs,
            on_due=self._ringing.on_due,
            on_lost=self._ringing.on_lost,
            on_fenced=self._on_fenced,
            on_unavailable=self._ringing.sweep,
            paging=self._waits.paging,
            name="waits",
            settings=LOOP,
            steady=self._steady,
        )
        self._waits.ring_on(loop)
        self._follower.begin()
        ringing = asyncio.create_task(loop.run(), name="delivery-waits")
        try:
            async with Supervisor() as tasks:
                tasks.start("delivery-follow", self._follower.run)
                tasks.start("delivery-progress", self._keep_progress)
                tasks.start("delivery-strays", self._recall_strays)
                await self._changed()
        finally:
            await self._drain(loop, ringing)

    async def _changed(self) -> None:
        """Wait until the shards are lost, or are to be shared anew."""
        events = (self._ownership.lost, self._ownership.unbalanced)
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    async def _take_queue(self) -> None:
        """Fence older owners out of the delay queue; what it lost is found at the first claim."""
        try:
            await self._queue.take(self._ledger.epochs())
        except QueueUnavailable as error:
            log.warning("waits_not_taken", error=str(error))

    async def _on_fenced(self, shards: frozenset[int]) -> None:
        self._ownership.lost.set()

    async def _keep_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            await self._follower.commit_progress()

    async def _recall_strays(self) -> None:
        while True:
            await asyncio.sleep(STRAY_SECONDS)
            await self._ringing.settle_interrupted()
            await self._ringing.recall_strays()

    async def _drain(self, loop: TimerLoop, ringing: asyncio.Task[None]) -> None:
        """Let the mails in hand be handed over, within a deadline, and commit how far we read."""
        loop.stop()
        done, _ = await asyncio.wait({ringing}, timeout=self._drain_seconds)
        if not done:
            log.warning("mails_in_hand_left", seconds=self._drain_seconds)
            ringing.cancel()
            await asyncio.wait({ringing})
        with contextlib.suppress(Exception):
            await self._follower.commit_progress()
