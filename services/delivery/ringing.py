"""Answers the delay queue: what rings is looked at, what is lost is rebuilt from Postgres."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from hairspring.runtime.clock import Clock
from hairspring.runtime.logging import get_logger
from hairspring.runtime.metrics import TIMER_SWEEPS
from hairspring.services.delivery.adapters.calls import Away
from hairspring.services.delivery.ledger import Ledger
from hairspring.services.delivery.metrics import SET_ASIDE
from hairspring.services.delivery.sender import Sending
from hairspring.services.delivery.setting_aside import may_be_poison, place_of_error
from hairspring.services.delivery.store import DeliveryStore
from hairspring.services.delivery.waits import Waits, Wake, member_of, read_member
from hairspring.timers.port import Claimed, Claims, DelayQueue

SLICE = 32
"""How many runs are looked at, checked and sent together."""

FIRST_PAUSE_MS = 500
LONGEST_PAUSE_MS = 5_000
FAILED_PAUSE_MS = 60_000
STRAY_AFTER_MS = 5_000
MOST_STRAYS = 500

log = get_logger()

T = TypeVar("T")


class Ringing:
    """What a timer loop calls. While a service is away, everything waits and comes again."""

    def __init__(
        self,
        queue: DelayQueue,
        waits: Waits,
        sending: Sending,
        store: DeliveryStore,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._waits = waits
        self._sending = sending
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._pause_ms = FIRST_PAUSE_MS

    async def on_due(self, claims: Claims) -> Iterable[Claimed]:
        """Look at what rang, slice by slice; answers what is done."""
        done: list[Claimed] = []
        for first in range(0, len(claims.claimed), SLICE):
            part = claims.claimed[first : first + SLICE]
            try:
                failed = await self._look(_wakes(part))
            except Away:
                await self._wait(claims, first)
                return done
            self._pause_ms = FIRST_PAUSE_MS
            done += [one for one in part if (one.shard, one.member) not in failed]
            later = [one for one in part if (one.shard, one.member) in failed]
            if later:
                await self._queue.release(later, due_at=claims.now + FAILED_PAUSE_MS)
        return done

    async def _look(self, wakes: Sequence[Wake]) -> set[tuple[int, str]]:
        """Look at runs, and where the code raises, one by one; answers the members that failed.

        They ring again, as strays at the latest. Raises Away.
        """
        try:
            await self._sending.look_at(wakes)
            return set()
        except Exception as error:
            if not may_be_poison(error):
                raise
        failed = set()
        for wake in wakes:
            try:
                await self._sending.look_at([wake])
            except Exception as error:
                if not may_be_poison(error):
                    raise
                failed.add((wake.shard, member_of(wake)))
                SET_ASIDE.labels("run").inc()
                log.error(
                    "run_put_off",
                    workspace=wake.workspace,
                    profile=wake.profile,
                    run_id=wake.run_id,
                    error=type(error).__name__,
                    raised_at=place_of_error(error),
                )
        return failed

    async def _wait(self, claims: Claims, done: int) -> None:
        """Have what was not looked at ring again after a pause that grows."""
        again_at = claims.now + self._pause_ms
        await self._queue.release(claims.claimed[done:], due_at=again_at)
        self._pause_ms = min(LONGEST_PAUSE_MS, self._pause_ms * 2)

    async def on_lost(self, shards: frozenset[int]) -> None:
        """Rebuild the waits of these shards. Raises QueueUnavailable, QueueLost or Fenced."""
        await self._waits.rebuild(shards)

    async def sweep(self) -> None:
        """Look at what is due in Postgres, while the delay queue is away."""
        TIMER_SWEEPS.inc()
        shards = list(self._ledger.owned)
        overdue = await self._store.overdue(shards, self._clock(), MOST_STRAYS)
        try:
            for part in _slices(overdue, SLICE):
                await self._look(part)
        except Away as error:
            log.warning("sweep_broke_off", error=str(error))

    async def settle_interrupted(self) -> None:
        """Settle the messages that nobody is handing over, though they are marked so."""
        await self._sending.settle_interrupted()

    async def recall_strays(self) -> None:
        """Have what should have rung a while ago ring now."""
        before = self._clock() - STRAY_AFTER_MS
        strays = await self._store.overdue(list(self._ledger.owned), before, MOST_STRAYS)
        await self._waits.recall(strays, before)


def _wakes(claimed: Iterable[Claimed]) -> list[Wake]:
    """Read the members; one that is not ours is logged and left out."""
    wakes = []
    for one in claimed:
        try:
            wakes.append(read_member(one.shard, one.member))
        except ValueError:
            log.error("wait_unreadable", shard=one.shard, member=one.member)
    return wakes


def _slices(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]
