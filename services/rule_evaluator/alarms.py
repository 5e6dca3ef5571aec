"""The alarms: each profile's one timer, in Redis, with Postgres as the truth behind it.

An alarm has no meaning of its own: when it rings, the profile is evaluated behind a barrier. So a
lost, doubled, early or late alarm cannot make a wrong membership, only a late one, and what Redis
does not ring is found in Postgres by a sweep.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from hairspring.ownership.port import Owned
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import Unavailable
from hairspring.runtime.logging import get_logger
from hairspring.runtime.metrics import TIMER_REBUILDS, TIMER_SWEEPS
from hairspring.services.rule_evaluator.work import TermEnded
from hairspring.store.port import Key, SegmentStore
from hairspring.timers.loop import TimerLoop
from hairspring.timers.paging import Paging
from hairspring.timers.port import Claimed, Claims, DelayQueue, QueueUnavailable, Timer

SWEEP_SECONDS = 5.0
SWEEP_BEHIND_MS = 5_000
SWEEP_BATCH = 500
EVER = -(2**62)  #: Before every moment.
AHEAD_MS = 6 * 3_600_000


class Looker(Protocol):
    """Whoever evaluates profiles when their alarms ring."""

    owned: dict[int, Owned]

    async def look(self, keys: Sequence[Key], *, through: int, rung: bool = False) -> None:
        """Has profiles judged behind a barrier at `through` (milliseconds, UTC)."""


class Alarms:
    """Arms the alarms of the shards that are owned, and has them ring.

    Redis holds those of the next `ahead_ms`; later ones wait in Postgres, and are read from there
    in time. `steady` is a clock that is never set, in seconds.
    """

    def __init__(
        self,
        queue: DelayQueue,
        store: SegmentStore,
        clock: Clock,
        lateness: int = 0,
        *,
        ahead_ms: int = AHEAD_MS,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._paging = Paging(queue, self._read, horizon_ms=ahead_ms)
        self._store = store
        self._clock = clock
        self._lateness = lateness
        self._steady = steady
        self._log = get_logger()
        self._looker: Looker | None = None
        self._loop: TimerLoop | None = None

    async def run(self, looker: Looker) -> None:
        """Rings until cancelled."""
        self._looker = looker
        self._loop = TimerLoop(
            self._queue,
            epochs=self._epochs,
            on_due=self._on_due,
            on_lost=self._rebuild,
            on_unavailable=self._sweep_now,
            paging=self._paging,
            name="alarms",
            steady=self._steady,
        )
        try:
            await self._take()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_sweeping(), name="alarms-sweep")
                tasks.create_task(_ring(self._loop), name="alarms-ring")
        finally:
            self._loop = None

    @property
    def away(self) -> bool:
        """Whether the delay queue does not answer."""
        return self._loop is not None and self._loop.away

    async def arm(self, alarms: Mapping[Key, int]) -> None:
        """Schedules alarms (by profile, milliseconds UTC) that were committed just now.

        When Redis is away, the sweep finds them; the queue itself counts their shards as lost
        then, so that they are rebuilt as soon as it is back.
        """
        if not alarms or self._looker is None:
            return
        timers = [self._timer(key, due_at) for key, due_at in alarms.items()]
        try:
            near = await self._paging.schedule(timers, epochs=self._epochs())
        except QueueUnavailable as error:
            self._log.warning("alarms_not_armed", count=len(timers), error=str(error))
            return
        if self._loop is not None:
            self._loop.wake(near)

    async def disarm(self, keys: Collection[Key]) -> None:
        """Cancels the alarms of profiles that are gone; one that rings all the same is idle."""
        if not keys or self._looker is None:
            return
        members = [(key.shard, _member(key)) for key in keys]
        try:
            await self._queue.cancel(members, epochs=self._epochs())
        except QueueUnavailable as error:
            self._log.warning("alarms_not_cancelled", count=len(members), error=str(error))

    def _epochs(self) -> dict[int, int]:
        looker = self._looker
        return {} if looker is None else {n: owned.epoch for n, owned in looker.owned.items()}

    async def _on_due(self, claims: Claims) -> Iterable[Claimed]:
        through = max(claimed.due_at for claimed in claims.claimed)
        keys = [_key(claimed.shard, claimed.member) for claimed in claims.claimed]
        looked = await self._look(keys, min(through, claims.now))
        return claims.claimed if looked else []

    async def _look(self, keys: Sequence[Key], through: int) -> bool:
        """Has profiles looked at; False once the term has ended, and the next one takes them."""
        looker = self._looker
        assert looker is not None, "alarms ring only while they run"
        ours = [key for key in keys if key.shard in looker.owned]
        try:
            if ours:
                await looker.look(ours, through=through, rung=True)
        except TermEnded:
            return False
        return True

    async def _take(self) -> None:
        """Fences older owners out of Redis; what it cannot hand over is found by the first claim.

        So this comes before the first claim, which would take all that is there for lost.
        """
        try:
            await self._queue.take(self._epochs())
        except QueueUnavailable as error:
            self._log.warning("alarms_not_taken", error=str(error))

    async def _keep_sweeping(self) -> None:
        """Sweeps for ever for what did not ring."""
        while True:
            try:
                await self._sweep(self._clock() - SWEEP_BEHIND_MS)
            except Unavailable as error:
                self._log.warning("alarms_sweep_failed", error=repr(error))
            await asyncio.sleep(SWEEP_SECONDS)

    async def _rebuild(self, shards: Collection[int]) -> None:
        """Fills shards anew from Postgres."""
        loop, epochs = self._loop, self._epochs()
        assert loop is not None, "the loop finds what is lost"
        ours = [shard for shard in shards if shard in epochs]
        TIMER_REBUILDS.inc(len(ours))
        await self._paging.rebuild(ours, epochs=epochs, now=loop.now, wake=loop.wake)

    async def _read(
        self, shard: int, start: int, end: int, after: Timer | None, limit: int
    ) -> list[Timer]:
        """Reads alarms that were committed; in Postgres they are due before their lateness."""
        wait = self._lateness
        place: tuple[int, Key | None] = (start - wait if start else EVER, None)
        if after is not None:
            place = (after.due_at - wait, _key(shard, after.member))
        page = await self._store.timers(shard, place, end - wait, limit)
        return [self._timer(key, due_at) for key, due_at in page]

    async def _sweep_now(self) -> None:
        """While Redis is away: rings what is due from Postgres."""
        TIMER_SWEEPS.inc()
        await self._sweep(self._clock())

    async def _sweep(self, before: int) -> None:
        wait = self._lateness
        while due := await self._store.due(list(self._epochs()), before - wait, SWEEP_BATCH):
            through = max(due_at for _, due_at in due) + wait
            looked = await self._look([key for key, _ in due], through)
            if not looked or len(due) < SWEEP_BATCH:
                return

    def _timer(self, key: Key, due_at: int) -> Timer:
        """A moment is passed when it has waited for events still on their way, so it rings then."""
        at = max(due_at + self._lateness, 0)
        return Timer(shard=key.shard, member=_member(key), due_at=at)


async def _ring(loop: TimerLoop) -> None:
    """Rings until cancelled, for sure: the client of Redis can lose a cancellation."""
    ringing = asyncio.create_task(loop.run(), name="alarms-loop")
    try:
        await asyncio.wait({ringing})
        ringing.result()
    finally:
        loop.stop()
        ringing.cancel()
        await asyncio.wait({ringing})


def _member(key: Key) -> str:
    return f"{key.workspace}/{key.profile}"


def _key(shard: int, member: str) -> Key:
    workspace, _, profile = member.partition("/")
    return Key(shard, workspace, profile)
