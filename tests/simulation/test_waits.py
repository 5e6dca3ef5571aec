"""Delivery's waits on a virtual clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from hairspring.services.delivery.waits import Waits
from hairspring.timers.loop import TimerLoop
from hairspring.timers.memory import MemoryDelayQueue
from hairspring.timers.port import Claimed, Claims

from tests.simulation.loop import VirtualLoop
from tests.unit.delivery.making import a_run

BEHIND_MS = 3_000


def test_who_is_behind_the_queue_is_not_rung_all_the_while() -> None:
    """What rang before its time by our clock rings again once a second, and at its time."""
    loop = VirtualLoop(random.Random(1))
    rings = loop.run_until_complete(loop.create_task(_rings(loop)))
    loop.unwind()
    loop.close()
    assert rings[-1] == 0
    assert len(rings) <= BEHIND_MS // 1000 + 2


async def _rings(loop: VirtualLoop) -> list[int]:
    """How long before its time a run is looked at by a clock that is behind the queue's, in ms."""
    run = a_run().woken_at(loop.now_ms() + 500)
    assert run.wake_at is not None
    queue = MemoryDelayQueue(lambda: loop.now_ms() + BEHIND_MS)
    epochs = {run.shard: 1}
    rings: list[int] = []
    over = asyncio.Event()

    async def nothing(*_: object) -> list[object]:
        return []

    async def lost(shards: Iterable[int]) -> None:
        await waits.rebuild(list(shards))

    async def look(claims: Claims) -> Iterable[Claimed]:
        if claims.claimed:
            left = run.wake_at - loop.now_ms() if run.wake_at is not None else 0
            rings.append(max(left, 0))
            if left <= 0:
                over.set()
            else:
                await waits.ring_later([run], loop.now_ms())
        return claims.claimed

    waits = Waits(queue, nothing, lambda: epochs, ahead_ms=3_600_000)  # type: ignore[arg-type]
    timers = TimerLoop(
        queue,
        epochs=lambda: epochs,
        on_due=look,
        on_lost=lost,
        on_fenced=nothing,
        on_unavailable=nothing,
        paging=waits.paging,
        name="waits",
        steady=loop.time,
    )
    waits.ring_on(timers)
    await queue.take(epochs)
    ringing = asyncio.create_task(timers.run())
    await asyncio.sleep(0.1)
    await waits.follow([run])
    await over.wait()
    timers.stop()
    await ringing
    return rings
