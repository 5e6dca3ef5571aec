"""Whatever becomes due when, and however short the horizon: nothing rings late, nothing is missed.

Owners come and go, the queue forgets, and timers move, on a virtual clock; beside the queue stands
the truth, which is read page by page while it changes.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog
from hairspring.timers import Claimed, Claims, Timer
from hairspring.timers.loop import TimerLoop
from hairspring.timers.memory import MemoryDelayQueue
from hairspring.timers.paging import Paging
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.simulation.loop import VirtualLoop

SHARDS = 3
SECONDS = 40
#: A timer is scheduled this long after its commit, at most.
SLOW_MS = 40
#: A page was read so long ago when it arrives, at most, and as long on its way before.
SLOW_READING_MS = 300
#: Who lost the queue, or took it over, knows all that is due after some polls and readings.
LATE_AFTER_FAULT_MS = 10_000


@dataclass(frozen=True)
class Set:
    """At a time, a member is set to be due so much later; `died` before the queue was told."""

    at: int
    member: int
    due_in: int
    died: bool = False


@dataclass(frozen=True)
class Forget:
    """At a time, the queue loses everything."""

    at: int


@dataclass(frozen=True)
class TakeOver:
    """At a time, another owner takes the shards."""

    at: int


@dataclass(frozen=True)
class Fail:
    """At a time, the queue loses everything, and the truth cannot be read for a while."""

    at: int


TIMES = st.integers(0, (SECONDS - 20) * 1_000)
SETS = st.builds(
    Set,
    at=TIMES,
    member=st.integers(0, 20),
    due_in=st.one_of(st.integers(0, 20_000), st.integers(0, 40).map(lambda n: n * 500)),
)
FAULTS = st.one_of(
    *(st.builds(fault, at=TIMES) for fault in (Forget, TakeOver, Fail)),
    SETS.map(lambda action: replace(action, died=True)),
)


@dataclass
class World:
    """The truth, the queue, and the owner that works on both."""

    horizon: int
    page: int
    chance: random.Random
    loop: VirtualLoop
    pending: dict[str, Timer] = field(default_factory=dict)
    faults: list[int] = field(default_factory=list)
    late: list[tuple[str, int, int]] = field(default_factory=list)
    failing: int = 0
    epoch: int = 0
    epochs: dict[int, int] = field(default_factory=dict)
    set_at: dict[str, int] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    ringing: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.queue = MemoryDelayQueue(self.loop.now_ms)
        self.over = asyncio.Event()

    async def slowly(self, longest: int) -> None:
        await asyncio.sleep(self.chance.random() * longest / 1000)

    async def read(
        self, shard: int, start: int, end: int, after: Timer | None, limit: int
    ) -> list[Timer]:
        """Show the truth of one moment, which may be old when it arrives."""
        await self.slowly(SLOW_READING_MS)
        if self.failing:
            self.failing -= 1
            raise ConnectionResetError("the truth is away")
        place = (after.due_at, after.member) if after is not None else (start - 1, "~")
        found = [
            (timer.due_at, timer.member)
            for timer in self.pending.values()
            if timer.shard == shard and start <= timer.due_at < end
        ]
        page = [self.pending[member] for at, member in sorted(found) if (at, member) > place]
        await self.slowly(SLOW_READING_MS)
        return page[:limit]

    async def take_over(self) -> None:
        """Become the next owner, as after a crash of the last one."""
        if self.ringing is not None:
            self.ringing.cancel()
        self.epoch += 1
        self.epochs = epochs = dict.fromkeys(range(SHARDS), self.epoch)
        generation = iter(range(1_000_000))
        paging = self.paging = Paging(
            self.queue,
            self.read,
            horizon_ms=self.horizon,
            generations=lambda: f"{self.epoch}.{next(generation)}",
            page=self.page,
            near_ms=1_000,
        )

        async def on_lost(shards: frozenset[int]) -> None:
            await paging.rebuild(shards, epochs=epochs, now=owner.now, wake=owner.wake)

        owner = self.owner = TimerLoop(
            self.queue,
            epochs=lambda: epochs,
            on_due=self.on_due,
            on_lost=on_lost,
            paging=paging,
            steady=self.loop.time,
        )
        await self.queue.take(epochs)
        self.ringing = asyncio.create_task(owner.run(), name="ringing")

    async def on_due(self, claims: Claims) -> Iterable[Claimed]:
        """Look at what rang: it is done if it is due, else it is scheduled anew."""
        now = self.loop.now_ms()
        for one in claims.claimed:
            timer = self.pending.get(one.member)
            if timer is not None and timer.due_at <= now:
                self.note(self.pending.pop(one.member), now)
                self.over.set()
            elif timer is not None:
                await self.schedule(timer)
        return claims.claimed

    def note(self, timer: Timer, now: int) -> None:
        """Take down what rang later than it may."""
        free = [fault + LATE_AFTER_FAULT_MS for fault in self.faults if fault <= now]
        set_at = self.set_at[timer.member]
        if now > max([timer.due_at, set_at + SLOW_MS, *free]) + 5:
            self.late.append((timer.member, timer.due_at, now))

    async def set(self, action: Set) -> None:
        """Commit a timer; then, unless its process dies just there, tell the queue."""
        member = f"m{action.member:02}"
        now = self.loop.now_ms()
        timer = Timer(shard=action.member % SHARDS, member=member, due_at=now + action.due_in)
        self.pending[member] = timer
        self.set_at[member] = now
        if action.died:
            self.faults.append(now)
            await self.take_over()
        else:
            paging = self.paging
            await self.slowly(SLOW_MS)
            if paging is self.paging:
                await self.schedule(self.pending.get(member, timer))

    async def schedule(self, timer: Timer) -> None:
        near = await self.paging.schedule([timer], epochs=self.epochs)
        self.owner.wake(near)

    async def live(self, actions: list[Set | Forget | TakeOver | Fail]) -> None:
        """Do what is given at its time, then wait for all that is due."""
        begin = self.loop.now_ms()
        self.faults.append(begin)
        await self.take_over()
        for action in sorted(actions, key=lambda action: action.at):
            await asyncio.sleep(max(0, begin + action.at - self.loop.now_ms()) / 1000)
            if isinstance(action, Set):
                self.tasks.append(asyncio.create_task(self.set(action), name="set"))
                continue
            self.faults.append(self.loop.now_ms())
            if isinstance(action, TakeOver):
                await self.take_over()
            else:
                self.queue.forget()
                self.failing = 2 * isinstance(action, Fail)
        await asyncio.gather(*self.tasks)
        self.over.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while self.pending:
                    self.over.clear()
                    await self.over.wait()
        assert self.ringing is not None
        self.ringing.cancel()
        await asyncio.gather(self.ringing, return_exceptions=True)


@settings(max_examples=100, deadline=None)
@given(
    actions=st.lists(SETS, min_size=20, max_size=60),
    faults=st.just([]) | st.lists(FAULTS, max_size=3),
    horizon=st.integers(10_000, 20_000),
    page=st.sampled_from((5, 20, 1_000)),
    seed=st.integers(0, 2**32),
)
def test_nothing_is_late_or_missing(
    actions: list[Set],
    faults: list[Set | Forget | TakeOver | Fail],
    horizon: int,
    page: int,
    seed: int,
) -> None:
    """All ring in the millisecond in which they are due; soon, where the queue had forgotten."""
    chance = random.Random(seed)
    loop = VirtualLoop(random.Random(chance.random()))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    world = World(horizon=horizon, page=page, chance=chance, loop=loop)
    try:
        loop.run_until_complete(loop.create_task(world.live([*actions, *faults])))
    finally:
        structlog.reset_defaults()
        loop.unwind()
        loop.close()
    event(f"faults: {len(world.faults) - 1}")
    assert world.pending == {}
    assert world.late == []
