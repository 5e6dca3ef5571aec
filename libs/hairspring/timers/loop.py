"""The clock of a process: sleeps until timers are due, and hands them to their owner."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from hairspring.timers.agenda import AT_ONCE, Agenda, QueueClock
from hairspring.timers.filling import Filling, OnShards
from hairspring.timers.paging import Paging
from hairspring.timers.port import Claimed, Claims, DelayQueue, QueueUnavailable, Timer

log = structlog.get_logger(__name__)

OnDue = Callable[[Claims], Awaitable[Iterable[Claimed]]]
OnUnavailable = Callable[[], Awaitable[None]]

SHALLOW, DEEP = 4, 32
"""A claim asks so few shards that each may give this many: more of them after a full claim, since
asking a shard has its cost, however much is due there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How a timer loop works; all times in ms."""

    batch: int = 500
    """How many timers one claim brings at most."""
    lease_ms: int = 30_000
    """How long a claimed timer waits for its acknowledgement before it rings again."""
    poll_ms: int = 1_000
    """How often shards are asked that had nothing due: this is how a loss is noticed."""
    rest_ms: int = 2
    """The least time between two claims that are not full, so that timers gather."""
    sweep_ms: int = 2_000
    """The least time between two calls of `on_unavailable`."""
    shortest_backoff_ms: int = 50
    longest_backoff_ms: int = 2_000
    """Bounds of the wait after an error; it doubles with each error in a row."""


async def _ignore_shards(shards: frozenset[int]) -> None:
    """Leave these shards to somebody else."""


async def _ignore() -> None:
    """Wait for the queue to come back."""


class TimerLoop:
    """Claims what is due in the shards of this process and hands it to `on_due`.

    `epochs` answers the shards owned now with their epochs; it is asked before every claim.
    `on_due` commits what the timers mean and answers those to acknowledge; the others ring
    again when their lease ends, or when the owner released them. If it raises, all of them are
    released to a little later. `on_lost` rebuilds shards, in a task of its own; `on_fenced`
    stops working on shards; `on_unavailable` finds due work in Postgres meanwhile. `paging`
    brings what comes within its horizon, at each poll that finds something wanting. `steady`
    answers seconds and never goes back; the time of day is the queue's matter.
    """

    def __init__(
        self,
        queue: DelayQueue,
        *,
        epochs: Callable[[], Mapping[int, int]],
        on_due: OnDue,
        on_lost: OnShards = _ignore_shards,
        on_fenced: OnShards = _ignore_shards,
        on_unavailable: OnUnavailable = _ignore,
        paging: Paging | None = None,
        name: str = "timers",
        settings: LoopSettings | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._epochs = epochs
        self._on_due = on_due
        self._on_lost = on_lost
        self._on_fenced = on_fenced
        self._on_unavailable = on_unavailable
        self._name = name
        self._settings = settings or LoopSettings()
        self._seconds = steady
        self._agenda = Agenda()
        self._clock = QueueClock()
        self._bell = asyncio.Event()
        self._stopping = False
        self._depth = SHALLOW
        self._errors = 0
        self._failures = 0
        self._poll_at = self._quiet_until = self._sweep_at = -math.inf
        self._away_since: float | None = None
        self._filling = Filling(
            name,
            on_lost=lambda shards: self._on_lost(shards),
            paging=paging,
            now=self.now,
            wake=self.wake,
            ring=self._ring,
        )

    async def run(self) -> None:
        """Serve until stopped or cancelled; no error ends it."""
        try:
            while not self._stopping:
                await self._guarded_round()
                await self._sleep()
        finally:
            await self._filling.end()

    @property
    def away(self) -> bool:
        """Whether the queue did not answer at the last claim."""
        return self._away_since is not None

    def stop(self) -> None:
        """Ask the loop to end once what it has claimed is served."""
        self._stopping = True
        self._bell.set()

    def wake(self, timers: Iterable[Timer]) -> None:
        """Tell of timers that were scheduled just now; call it after `schedule` returned."""
        earlier = False
        for timer in timers:
            earlier |= self._agenda.note(timer.shard, timer.due_at)
        if earlier:
            self._bell.set()

    def look(self) -> None:
        """Ask every shard at once: after shards were taken over, or time was lost."""
        self._agenda.ask_all()
        self._bell.set()

    def now(self) -> int:
        """Tell the time on the queue's clock, ms UTC; before the first claim, a time before all."""
        return self._clock.now(self._steady())

    async def _guarded_round(self) -> None:
        """Do one round, and after an error be quiet for a bounded while."""
        try:
            await self._round()
        except QueueUnavailable as error:
            await self._bridge(error)
        except Exception:
            log.exception("timer_round_failed", loop=self._name, errors=self._errors + 1)
        else:
            self._errors = 0
            return
        self._errors += 1
        self._quiet_until = self._steady() + self._backoff(self._errors)

    async def _round(self) -> None:
        """Ask the shards that are due, and at each poll those that were not asked for long."""
        start = self._steady()
        if start < self._quiet_until:
            return
        epochs = self._epochs()
        self._agenda.keep(epochs)
        polling = start >= self._poll_at
        due = self._agenda.due(self._clock.now(start))
        asked = due[: max(1, self._settings.batch // self._depth)]
        if polling:
            self._poll_at = start + self._settings.poll_ms
            due = asked = self._agenda.not_asked_since(start - self._settings.poll_ms / 2) or asked
        if asked:
            await self._ask(asked, due, epochs)
        if polling:
            self._filling.poll(epochs)

    async def _ask(
        self, asked: Sequence[int], due: Sequence[int], epochs: Mapping[int, int]
    ) -> None:
        """Claim from these of the shards that are due, and serve what came."""
        start = self._steady()
        claims = await self._claim(asked, epochs)
        full = 2 * len(claims.claimed) >= self._settings.batch
        self._depth = DEEP if full else SHALLOW
        pressed = full or len(asked) < len(due)
        self._quiet_until = start if pressed else start + self._settings.rest_ms
        await self._report(claims)
        if claims.claimed:
            await self._serve(claims)

    async def _claim(self, shards: Sequence[int], epochs: Mapping[int, int]) -> Claims:
        """Claim, and learn from the answer what is next and how late it is."""
        settings, sent = self._settings, self._steady()
        self._agenda.asking(shards, sent)
        try:
            claims = await self._queue.claim(
                shards, settings.batch, settings.lease_ms, epochs=epochs
            )
        except BaseException:
            self._agenda.failed(shards)
            raise
        if self._away_since is not None:
            log.info("timers_available", loop=self._name, away_ms=round(sent - self._away_since))
            self._away_since = None
        self._clock.learn(claims.now, sent=sent, received=self._steady())
        self._agenda.answered(shards, claims.next_due)
        return claims

    async def _serve(self, claims: Claims) -> None:
        """Hand timers to their owner, and acknowledge what it is done with."""
        try:
            done = list(await self._on_due(claims))
        except Exception:
            await self._put_off(claims)
            return
        self._failures = 0
        if len(done) < len(claims.claimed):
            self._ring({one.shard for one in claims.claimed})
        await self._queue.ack(done)

    async def _put_off(self, claims: Claims) -> None:
        """After their owner failed, have these ring a little later, and pause as long."""
        self._failures += 1
        pause = self._backoff(self._failures)
        log.exception(
            "timers_failed", loop=self._name, count=len(claims.claimed), retry_in_ms=pause
        )
        self._quiet_until = self._steady() + pause
        self._ring({one.shard for one in claims.claimed})
        due_at = self._clock.now(self._quiet_until)
        await self._queue.release(claims.claimed, due_at=due_at)

    async def _report(self, claims: Claims) -> None:
        """Have lost shards rebuilt, and fenced ones dropped."""
        self._filling.rebuild(claims.lost)
        if claims.fenced:
            log.warning("timers_fenced", loop=self._name, shards=sorted(claims.fenced))
            try:
                await self._on_fenced(claims.fenced)
            except Exception:
                log.exception("timer_fence_failed", loop=self._name)

    async def _bridge(self, error: QueueUnavailable) -> None:
        """While the queue is away, have due work found in Postgres."""
        steady = self._steady()
        if self._away_since is None:
            self._away_since = steady
            log.warning("timers_unavailable", loop=self._name, error=str(error))
        self._agenda.ask_all()
        if steady < self._sweep_at:
            return
        self._sweep_at = steady + self._settings.sweep_ms
        try:
            await self._on_unavailable()
        except Exception:
            log.exception("timer_sweep_failed", loop=self._name)

    def _ring(self, shards: Iterable[int]) -> None:
        """Ask these shards at once, for what may be due earlier than was known."""
        for shard in shards:
            self._agenda.note(shard, AT_ONCE)
        self._bell.set()

    def _backoff(self, errors: int) -> int:
        """Tell how long to wait after so many errors in a row, ms."""
        doubled: int = self._settings.shortest_backoff_ms << min(errors - 1, 16)
        return min(doubled, self._settings.longest_backoff_ms)

    def _steady(self) -> float:
        return self._seconds() * 1000

    async def _sleep(self) -> None:
        """Sleep until something is due or the next poll; the bell cuts it short."""
        steady = self._steady()
        due = self._clock.until(self._agenda.earliest(), steady)
        wait = max(min(due, self._poll_at - steady), self._quiet_until - steady)
        if wait > 0:
            try:
                async with asyncio.timeout(wait / 1000):
                    await self._bell.wait()
            except TimeoutError:
                pass
        else:
            await asyncio.sleep(0)
        self._bell.clear()
