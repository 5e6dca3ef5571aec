"""Waits: when a run is to be looked at again, in the delay queue.

Postgres is the truth (`wake_at` of a run); the queue is its index. A wake-up says "look", nothing
more: one that is lost, doubled, early or late makes no wrong run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hairspring.runtime.logging import get_logger
from hairspring.services.delivery.runs import Run
from hairspring.timers.loop import TimerLoop
from hairspring.timers.port import DelayQueue, QueueUnavailable, Timer

NAMESPACE = "waits"

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """The run that is to be looked at: its primary key."""

    shard: int
    workspace: str
    profile: str
    run_id: str


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

    Call it after the commit. Where the queue does not answer, or has lost a shard, nothing is
    done: the queue says so at the next claim, and the shard is rebuilt from Postgres.
    """

    def __init__(self, queue: DelayQueue, epochs: Callable[[], Mapping[int, int]]) -> None:
        self._queue = queue
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
        await self.schedule([(wake_of(run), run.wake_at) for run in given if run.wake_at])
        await self._cancel([wake_of(run) for run in given if not run.active])

    async def schedule(self, wakes: Sequence[tuple[Wake, int]], *, earliest: bool = False) -> None:
        """Have these runs looked at at these times, ms UTC; with `earliest`, not later than now."""
        epochs = self._epochs()
        timers = [
            Timer(shard=wake.shard, member=member_of(wake), due_at=max(at, 0))
            for wake, at in wakes
            if wake.shard in epochs
        ]
        if not timers:
            return
        try:
            await self._queue.schedule(timers, epochs=epochs, earliest=earliest)
        except QueueUnavailable as error:
            log.warning("waits_not_scheduled", runs=len(timers), error=str(error))
        if self._loop is not None:
            self._loop.wake(timers)

    async def _cancel(self, wakes: Sequence[Wake]) -> None:
        epochs = self._epochs()
        members = [(wake.shard, member_of(wake)) for wake in wakes if wake.shard in epochs]
        if not members:
            return
        try:
            await self._queue.cancel(members, epochs=epochs)
        except QueueUnavailable as error:
            log.warning("waits_not_cancelled", runs=len(members), error=str(error))
