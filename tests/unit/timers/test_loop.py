"""The timer loop rings on time, and asks no more than it has to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from hairspring.timers import Claimed, Claims
from hairspring.timers.loop import LoopSettings, TimerLoop

from tests.support.waiting import eventually
from tests.unit.timers.looping import FAR, PATIENT, QUICK, CountingQueue, Owner, now_ms, timer


async def _nobody(claims: Claims) -> Iterable[Claimed]:
    raise AssertionError(f"nothing is due, and {claims} rang")


async def test_rings_in_order_and_on_time() -> None:
    """Timers ring in the order of their due times, never early, and are acknowledged."""
    owner = Owner(settings=PATIENT)
    async with owner.running():
        await owner.schedule(timer("b", 60), timer("a", 30, 1), timer("c", 90))
        await eventually(lambda: owner.rung == ["a", "b", "c"])
        assert min(owner.late) >= 0
        assert await owner.queue.pending([0, 1]) == 0


async def test_an_earlier_timer_cuts_the_sleep_short() -> None:
    """A timer scheduled below the next due time rings, though no poll comes for an hour."""
    owner = Owner(settings=PATIENT)
    async with owner.running():
        await owner.schedule(timer("later", FAR))
        await owner.schedule(timer("sooner", 20))
        await eventually(lambda: owner.rung == ["sooner"])


async def test_a_timer_scheduled_while_a_claim_is_answered() -> None:
    """An answer that is older than a schedule does not put the loop to sleep over it."""
    owner = Owner(settings=PATIENT)
    async with owner.running():
        owner.queue.gate = asyncio.Event()
        claims = owner.queue.claims
        owner.loop.look()
        await eventually(lambda: owner.queue.claims > claims)
        await owner.schedule(timer("sooner", 0))
        gate, owner.queue.gate = owner.queue.gate, None
        gate.set()
        await eventually(lambda: owner.rung == ["sooner"])


async def test_sleeps_when_nothing_is_due() -> None:
    """With far-off timers only, the queue is asked once, not polled."""
    owner = Owner(settings=PATIENT)
    async with owner.running():
        await owner.schedule(timer("later", FAR))
        claims = owner.queue.claims
        await asyncio.sleep(0.3)
        assert owner.queue.claims <= claims + 1


async def test_replicas_do_not_multiply_the_asking() -> None:
    """However many share the shards, each shard is asked by its owner alone, at each poll."""
    queue = CountingQueue(now_ms)
    epochs = dict.fromkeys(range(8), 1)
    for shard in epochs:
        await queue.begin(shard, epoch=1, generation="first")
    shares = [{shard: 1 for shard in epochs if shard % 4 == number} for number in range(4)]
    began = time.monotonic()
    loops = [
        TimerLoop(queue, epochs=lambda own=share: own, on_due=_nobody, settings=QUICK)
        for share in shares
    ]
    async with asyncio.TaskGroup() as tasks:
        for loop in loops:
            tasks.create_task(loop.run(), name="timers-under-test")
        await eventually(lambda: queue.asked >= 4 * len(epochs))
        for loop in loops:
            loop.stop()
    polls = 2 + (time.monotonic() - began) * 1000 / QUICK.poll_ms
    assert queue.asked <= len(epochs) * polls


async def test_a_timer_that_nobody_told_of_rings_with_the_next_poll() -> None:
    """Every owned shard is asked again and again, also where nobody ever wakes the loop."""
    owner = Owner()
    async with owner.running():
        await owner.queue.schedule([timer("untold", 0, 1)], epochs=owner.epochs)
        await eventually(lambda: owner.rung == ["untold"])


async def test_work_that_outlasts_its_lease_is_not_begun_twice() -> None:
    """What takes its owner longer than the lease rings once, and is acknowledged after all."""
    owner = Owner(settings=LoopSettings(poll_ms=20, lease_ms=10))
    served: list[int] = []

    async def slowly(claims: Claims) -> Iterable[Claimed]:
        served.append(len(claims.claimed))
        await asyncio.sleep(0.1)
        return claims.claimed

    owner.loop._on_due = slowly
    async with owner.running():
        await owner.schedule(timer("ada", 0))
        claims = owner.queue.claims
        await eventually(lambda: owner.queue.claims > claims + 5)
        assert served == [1]
        assert await owner.queue.pending([0, 1]) == 0


async def test_owning_nothing_is_idle() -> None:
    """A process without shards does not spin, and starts when it is given one."""
    owner = Owner(shards=0, settings=QUICK)
    rounds = 0

    def epochs() -> dict[int, int]:
        nonlocal rounds
        rounds += 1
        return owner.epochs

    owner.loop._epochs = epochs
    task = asyncio.create_task(owner.loop.run(), name="timers-under-test")
    await asyncio.sleep(0.3)
    assert rounds < 10
    owner.epochs[7] = 1
    await owner.queue.begin(7, epoch=1, generation="first")
    await owner.queue.schedule([timer("ada", 0, 7)], epochs=owner.epochs)
    owner.loop.look()
    await eventually(lambda: owner.rung == ["ada"])
    owner.loop.stop()
    await task


async def test_unacknowledged_rings_after_its_lease() -> None:
    """What the owner did not acknowledge rings again when the lease is over, without a poll."""
    owner = Owner(settings=LoopSettings(poll_ms=FAR, lease_ms=50))
    owner.keep_leased = {"ada"}
    async with owner.running():
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: len(owner.rung) == 3)
        owner.keep_leased = set()


async def test_backlog_is_worked_off_fairly() -> None:
    """A backlog in one shard neither waits for the next poll nor holds up another shard."""
    owner = Owner(settings=LoopSettings(poll_ms=FAR, batch=64))
    async with owner.running():
        many = [timer(f"p{i}", -1_000 + i // 10) for i in range(5_000)]
        await owner.schedule(*many, timer("other", -600, 1))
        await eventually(lambda: len(owner.rung) == 5_001)
        assert owner.rung.index("other") < 5_000
        assert len(set(owner.rung)) == 5_001


async def test_many_shards_with_little_due_are_asked_at_once() -> None:
    """A timer in each of a hundred shards takes one claim, not one for every few shards."""
    owner = Owner(shards=100, settings=PATIENT)
    async with owner.running():
        claims = owner.queue.claims
        await owner.schedule(*(timer(f"p{shard}", 0, shard) for shard in range(100)))
        await eventually(lambda: len(owner.rung) == 100)
        assert owner.queue.claims - claims <= 2


async def test_clock_that_goes_back() -> None:
    """When the queue's clock is set back, timers ring by it, and the loop keeps looking."""
    shift = 0
    owner = Owner(clock=lambda: now_ms() + shift)
    async with owner.running():
        await owner.schedule(timer("ada", 50))
        shift = -3_600_000
        claims = owner.queue.claims
        await eventually(lambda: owner.queue.claims > claims + 3)
        assert owner.rung == []
        shift = 0
        await eventually(lambda: owner.rung == ["ada"])


async def test_cancelled_loop_ends() -> None:
    """Cancellation ends the loop and its rebuilds."""
    owner = Owner(shards=1)
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def on_lost(shards: frozenset[int]) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    owner.loop._on_lost = on_lost
    task = asyncio.create_task(owner.loop.run(), name="timers-under-test")
    await asyncio.wait_for(started.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert cancelled.is_set()
