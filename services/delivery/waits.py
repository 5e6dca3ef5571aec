"""Waits: when a run is to be looked at again, in the delay queue.

Postgres is the truth (`wake_at` of a run); the queue is its index. A wake-up says "look", nothing
more: one that is lost, doubled, early or late makes no wrong run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hairspring.runtime.logging import get_logger
from hairspring.runtime.metrics import TIMER_REBUILDS
from hairspring.services.delivery.runs import Run
from hairspring.timers.loop import TimerLoop
from hairspring.timers.paging import Paging
from hairspring.timers.port import DelayQueue, QueueUnavailable, Timer

NAMESPACE = "waits"
BEFORE_ALL = -1
LONGEST_PAUSE_MS = 1_000
"""How long it is, at most, until what rang too early rings again."""

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """The run that is to be looked at: its primary key."""

    shard: int
    workspace: str
    profile: str
    run_id: str


Waking = Callable[[int, tuple[int, str], int, int], Awaitable[list[tuple[Wake, int]]]]
"""Lists the waits of a shard after a time and a run id, before a time, at most so many."""


def wake_of(run: Run) -> Wake:
    """Name a run to be looked at."""
    return Wake(shard=run.shard, workspace=run.workspace, profile=run.profile, run_id=run.run_id)


def member_of(wake: Wake) -> str:
    """Write a wake-up as a member of the delay queue. A workspace holds no slash."""
    return f"{wake.run_id}/{wake.workspace}/{wake.profile}"


def read_member(shard: int, member: str) -> Wake:
    """Read a member of the delay queue. Raises ValueError for one that we did not write."""
    run_id, workspace, profile = member.split("/", 2)
    return Wake(shard=shard, workspace=workspace, profile=profile, run_id=run_id)


class Waits:
    """Keeps the delay queue up to what was committed.

    Call it after the commit. The queue holds the waits of the next `ahead_ms`; later ones are in
    Postgres only, and are read from there in time. Where the queue does not answer, or has lost a
    shard, nothing is done: the queue says so at the next claim, and the shard is rebuilt.
    """

    def __init__(
        self,
        queue: DelayQueue,
        waking: Waking,
        epochs: Callable[[], Mapping[int, int]],
        *,
        ahead_ms: int,
    ) -> None:
        self.paging = Paging(queue, self._read, horizon_ms=ahead_ms)
        self._queue = queue
        self._waking = waking
        self._epochs = epochs
        self._loop: TimerLoop | None = None

    @property
    def away(self) -> bool:
        """Whether the delay queue does not answer."""
        return self._loop is not None and self._loop.away

    def ring_on(self, loop: TimerLoop) -> None:
        """Wake this loop when something is scheduled."""
        self._loop = loop

    async def follow(self, runs: Iterable[Run]) -> None:
        """Schedule the runs that go on, cancel those that are over."""
        given = list(runs)
        await self._schedule([(wake_of(run), run.wake_at) for run in given if run.wake_at])
        await self._cancel([wake_of(run) for run in given if not run.active])

    async def ring_later(self, runs: Iterable[Run], now: int) -> None:
        """Have these runs ring again, which rang although `now` (ms, UTC) is before their time.

        Our clock is behind that of the queue then, so at their time they would ring at once.
        """
        if self._loop is None:
            return
        begin = self._loop.now()
        again = [
            (wake_of(run), max(run.wake_at, begin + min(run.wake_at - now, LONGEST_PAUSE_MS)))
            for run in runs
            if run.wake_at is not None
        ]
        await self._schedule(again)

    async def ring_again(self, runs: Iterable[Run], after_ms: int) -> None:
        """Have these runs ring again after a while, whatever their time is."""
        if self._loop is None:
            return
        at = self._loop.now() + after_ms
        await self._schedule([(wake_of(run), at) for run in runs])

    async def cancel(self, wakes: Sequence[Wake]) -> None:
        """Forget runs that are no more."""
        await self._cancel(wakes)

    async def rebuild(self, shards: Collection[int]) -> None:
        """Fill shards that were lost. Raises QueueUnavailable, QueueLost or Fenced."""
        loop, epochs = self._loop, self._epochs()
        assert loop is not None, "the loop finds what is lost"
        ours = [shard for shard in shards if shard in epochs]
        TIMER_REBUILDS.inc(len(ours))
        await self.paging.rebuild(ours, epochs=epochs, now=loop.now, wake=loop.wake)

    async def recall(self, wakes: Sequence[Wake], at: int) -> None:
        """Have these runs looked at at a time, ms UTC, though the queue was not told of them."""
        await self._schedule([(wake, at) for wake in wakes])

    async def _schedule(self, wakes: Sequence[tuple[Wake, int]]) -> None:
        """Have runs looked at at these times, ms UTC."""
        epochs = self._epochs()
        timers = [_timer(wake, at) for wake, at in wakes if wake.shard in epochs]
        if not timers:
            return
        try:
            near = await self.paging.schedule(timers, epochs=epochs)
        except QueueUnavailable as error:
            log.warning("waits_not_scheduled", runs=len(timers), error=str(error))
            return
        if self._loop is not None:
            self._loop.wake(near)

    async def _cancel(self, wakes: Sequence[Wake]) -> None:
        epochs = self._epochs()
        members = [(wake.shard, member_of(wake)) for wake in wakes if wake.shard in epochs]
        if not members:
            return
        try:
            await self._queue.cancel(members, epochs=epochs)
        except QueueUnavailable as error:
            log.warning("waits_not_cancelled", runs=len(members), error=str(error))

    async def _read(
        self, shard: int, start: int, end: int, after: Timer | None, limit: int
    ) -> list[Timer]:
        """Read waits that were committed."""
        # No run id is empty, so this comes before all that wake at that time.
        place = (start if start else BEFORE_ALL, "")
        if after is not None:
            place = (after.due_at, read_member(shard, after.member).run_id)
        return [_timer(*found) for found in await self._waking(shard, place, end, limit)]


def _timer(wake: Wake, at: int) -> Timer:
    return Timer(shard=wake.shard, member=member_of(wake), due_at=max(at, 0))
