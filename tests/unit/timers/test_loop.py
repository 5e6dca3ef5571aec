"""The timer loop on the queue in memory and the real clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest
from hairspring.timers import Claimed, Claims, QueueUnavailable, Timer
from hairspring.timers.loop import LoopSettings, TimerLoop
from hairspring.timers.memory import MemoryDelayQueue

from tests.support.waiting import eventually

FAR = 3_600_000
QUICK = LoopSettings(poll_ms=100, sweep_ms=50, shortest_backoff_ms=5, longest_backoff_ms=20)
PATIENT = LoopSettings(poll_ms=FAR)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class CountingQueue(MemoryDelayQueue):
    """Counts claims, and fails or answers late when told."""

    claims = 0
    asked = 0
    error: Exception | None = None
    gate: asyncio.Event | None = None

    async def claim(
        self, shards: Sequence[int], limit: int, lease_ms: int, *, epochs: Mapping[int, int]
    ) -> Claims:
        self.claims += 1
        self.asked += len(shards)
        if self.error is not None:
            raise self.error
        answer = await super().claim(shards, limit, lease_ms, epochs=epochs)
        if self.gate is not None:
            await self.gate.wait()
        return answer


class Owner:
    """Owns some shards of a queue and writes down what its loop tells it."""

    def __init__(
        self, *, shards: int = 2, settings: LoopSettings = QUICK, clock: Callable[[], int] = now_ms
    ) -> None:
        self.queue = CountingQueue(clock)
        self.epochs = dict.fromkeys(range(shards), 1)
        self.rung: list[str] = []
        self.late: list[int] = []
        self.errors: list[Exception] = []
        self.keep_leased: set[str] = set()
        self.lost: list[frozenset[int]] = []
        self.fenced: list[frozenset[int]] = []
        self.sweeps = 0
        self.loop = TimerLoop(
            self.queue,
            epochs=lambda: self.epochs,
            on_due=self.on_due,
            on_lost=self.on_lost,
            on_fenced=self.on_fenced,
            on_unavailable=self.on_unavailable,
            settings=settings,
        )

    async def on_due(self, claims: Claims) -> Iterable[Claimed]:
        if self.errors:
            raise self.errors.pop(0)
        self.rung += [one.member for one in claims.claimed]
        self.late += [now_ms() - one.due_at for one in claims.claimed]
        return [one for one in claims.claimed if one.member not in self.keep_leased]

    async def on_lost(self, shards: frozenset[int]) -> None:
        self.lost.append(shards)
        for shard in shards:
            await self.queue.begin(shard, epoch=self.epochs[shard], generation="rebuilt")

    async def on_fenced(self, shards: frozenset[int]) -> None:
        self.fenced.append(shards)
        for shard in shards:
            del self.epochs[shard]

    async def on_unavailable(self) -> None:
        self.sweeps += 1

    async def schedule(self, *timers: Timer) -> None:
        await self.queue.schedule(timers, epochs=self.epochs)
        self.loop.wake(timers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        for shard, epoch in self.epochs.items():
            await self.queue.begin(shard, epoch=epoch, generation="first")
        task = asyncio.create_task(self.loop.run(), name="timers-under-test")
        try:
            await eventually(lambda: self.queue.claims > 0)
            yield task
        finally:
            self.loop.stop()
            await asyncio.wait_for(task, 5)


async def _nobody(claims: Claims) -> Iterable[Claimed]:
    raise AssertionError(f"nothing is due, and {claims} rang")


def timer(member: str, in_ms: int, shard: int = 0) -> Timer:
    return Timer(shard=shard, member=member, due_at=now_ms() + in_ms)


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


async def test_survives_a_failing_owner() -> None:
    """When the owner raises, its timers ring again soon and the loop goes on."""
    owner = Owner()
    owner.errors = [RuntimeError("one"), ValueError("two")]
    async with owner.running() as task:
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: owner.rung == ["ada"])
        await owner.schedule(timer("bob", 0))
        await eventually(lambda: owner.rung == ["ada", "bob"])
        assert not task.done()


async def test_survives_a_failing_queue() -> None:
    """Neither an absent queue nor a fault in it ends the loop."""
    owner = Owner()
    async with owner.running() as task:
        for error in (RuntimeError("fault"), QueueUnavailable("away")):
            owner.queue.error = error
            seen = owner.queue.claims
            owner.loop.look()
            await eventually(lambda seen=seen: owner.queue.claims > seen + 3)
        owner.queue.error = None
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: owner.rung == ["ada"])
        assert not task.done()


@pytest.mark.parametrize("place", ["epochs", "on_lost", "on_fenced", "on_unavailable", "ack"])
async def test_no_error_ends_the_loop(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever raises, wherever: the loop comes back by itself, and rings."""
    owner = Owner()
    raised: list[str] = []

    def fail(*_: object, **__: object) -> NoReturn:
        raised.append(place)
        monkeypatch.undo()
        owner.queue.error = None
        raise RuntimeError("a fault")

    async def fail_later(*_: object, **__: object) -> NoReturn:
        fail()

    async with owner.running() as task:
        if place == "ack":
            monkeypatch.setattr(owner.queue, "ack", fail_later)
            await owner.schedule(timer("bob", 0))
        elif place == "epochs":
            monkeypatch.setattr(owner.loop, "_epochs", fail)
        else:
            monkeypatch.setattr(owner.loop, f"_{place}", fail_later)
        if place == "on_lost":
            del owner.queue._shards[1]
        elif place == "on_fenced":
            await owner.queue.complete(1, epoch=1, generation="first")
            await owner.queue.take({1: 2})
        elif place == "on_unavailable":
            owner.queue.error = QueueUnavailable("away")
        owner.loop.look()
        await eventually(lambda: raised == [place])
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: "ada" in owner.rung)
        assert not task.done()


async def test_sweeps_while_the_queue_is_away() -> None:
    """While the queue does not answer, its owner is told now and then, but not at every try."""
    owner = Owner()
    async with owner.running():
        owner.queue.error = QueueUnavailable("away")
        seen = owner.queue.claims
        owner.loop.look()
        await eventually(lambda: owner.sweeps >= 3)
        assert owner.queue.claims - seen >= owner.sweeps
        owner.queue.error = None
        await eventually(lambda: owner.loop._away_since is None)
        sweeps = owner.sweeps
        await asyncio.sleep(0.15)
        assert owner.sweeps == sweeps


async def test_wake_ups_do_not_shorten_a_backoff() -> None:
    """Schedules during an outage do not make the loop hammer the queue."""
    owner = Owner(settings=LoopSettings(shortest_backoff_ms=200, longest_backoff_ms=200))
    async with owner.running():
        owner.queue.error = QueueUnavailable("away")
        owner.loop.look()
        seen = owner.queue.claims
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            await owner.schedule(timer("ada", 0))
            await asyncio.sleep(0.001)
        assert owner.queue.claims - seen <= 4


async def test_loss_is_rebuilt() -> None:
    """A queue that forgot everything is noticed by the poll, and rebuilt once."""
    owner = Owner()
    async with owner.running():
        owner.queue.forget()
        await eventually(lambda: owner.lost == [frozenset({0, 1})])
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: owner.rung == ["ada"])
        assert len(owner.lost) == 1


async def test_a_failing_rebuild_is_tried_again() -> None:
    """A rebuild that raises is asked for again."""
    owner = Owner(shards=1)
    tries: list[frozenset[int]] = []

    async def on_lost(shards: frozenset[int]) -> None:
        tries.append(shards)
        if len(tries) < 3:
            raise RuntimeError("Postgres is away")
        await owner.queue.begin(0, epoch=1, generation="rebuilt")

    owner.loop._on_lost = on_lost
    async with owner.running():
        owner.queue.forget()
        await eventually(lambda: len(tries) == 3)
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: owner.rung == ["ada"])


async def test_a_slow_rebuild_does_not_hold_up_others() -> None:
    """While a shard is rebuilt, the others ring, and it is not reported again."""
    owner = Owner()
    finish = asyncio.Event()
    tries: list[frozenset[int]] = []

    async def on_lost(shards: frozenset[int]) -> None:
        tries.append(shards)
        await finish.wait()

    owner.loop._on_lost = on_lost
    async with owner.running():
        del owner.queue._shards[0]
        await eventually(lambda: tries == [frozenset({0})])
        await owner.schedule(timer("ada", 0, 1))
        await eventually(lambda: owner.rung == ["ada"])
        claims = owner.queue.claims
        await eventually(lambda: owner.queue.claims > claims + 2)
        assert tries == [frozenset({0})]


async def test_fenced_shards_are_dropped() -> None:
    """When another owner took a shard, this one is told and asks for it no more."""
    owner = Owner()
    async with owner.running():
        await owner.queue.complete(1, epoch=1, generation="first")
        assert (await owner.queue.take({1: 2})).ok
        await eventually(lambda: owner.fenced == [frozenset({1})])
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: owner.rung == ["ada"])


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
