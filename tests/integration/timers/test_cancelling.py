"""The client of the real server loses no cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from hairspring.timers import Claimed, Claims, Timer
from hairspring.timers.loop import LoopSettings, TimerLoop
from hairspring.timers.redis import RedisDelayQueue

from tests.support.striking import strike

EPOCHS = {0: 1, 1: 1}
MOST = 60


async def test_a_loop_ends_when_it_is_cancelled_once(redis_url: str) -> None:
    """At each of its suspensions, also as it is woken, which is where `wait_for` loses it."""
    for at in range(1, MOST):
        async with RedisDelayQueue.open(redis_url, "cancelled") as queue:
            for shard, epoch in EPOCHS.items():
                await queue.begin(shard, epoch=epoch, generation=f"{at}")
                await queue.complete(shard, epoch=epoch, generation=f"{at}")
            striker = await strike(
                at, waking=True, start=_Ringing(queue).run, settled=asyncio.Event().wait
            )
            assert striker.struck.is_set()


class _Ringing:
    """Timers that are due, and set again when they have rung."""

    def __init__(self, queue: RedisDelayQueue) -> None:
        self._queue = queue

    async def run(self) -> None:
        """Ring for ever."""
        timers = [Timer(shard=shard, member="ada", due_at=1) for shard in EPOCHS]
        await self._queue.schedule(timers, epochs=EPOCHS)
        loop = TimerLoop(
            self._queue,
            epochs=lambda: EPOCHS,
            on_due=self._on_due,
            settings=LoopSettings(poll_ms=5),
        )
        await loop.run()

    async def _on_due(self, claims: Claims) -> Iterable[Claimed]:
        timers = [Timer(shard=one.shard, member=one.member, due_at=1) for one in claims.claimed]
        await self._queue.cancel([(one.shard, one.member) for one in claims.claimed], epochs=EPOCHS)
        await self._queue.schedule(timers, epochs=EPOCHS)
        return []
