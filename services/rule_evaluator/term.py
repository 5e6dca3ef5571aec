"""A term: what one replica does from the moment it owns shards until it loses or gives them up.

All work passes through one loop of turns. A turn is one transaction: records of the log in their
order, then the wake-ups whose barrier they reach, then rebuilds. Its effects are committed behind
the fence, and only then are timers armed and callers answered. Any error ends the term: what was
not committed is thrown away, and the next term starts from what is in Postgres.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import grpc
from hairspring.ownership.port import Owned
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import Unavailable
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.services.rule_evaluator.adopting import Adopting
from hairspring.services.rule_evaluator.alarms import Alarms
from hairspring.services.rule_evaluator.background import Background
from hairspring.services.rule_evaluator.histories import Histories
from hairspring.services.rule_evaluator.lines import Detail
from hairspring.services.rule_evaluator.metrics import FAILURES, TURN_SECONDS
from hairspring.services.rule_evaluator.plans import PlanBook
from hairspring.services.rule_evaluator.quarantine import Quarantine
from hairspring.services.rule_evaluator.turns import Turns
from hairspring.services.rule_evaluator.work import (
    Inbox,
    Reader,
    SlowShard,
    TermEnded,
    Turn,
    Wake,
)
from hairspring.store.port import Effects, Key, SegmentStore

CHECKPOINT_POSITIONS = 20_000
CHECKPOINT_SECONDS = 2.0
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
QUESTION_WAITS_MS = 500
"""How long a question waits for the log's clock: longer than clocks that are kept right differ."""

CROWD_SECONDS = 1.0
CROWDED_LOOKS = 3
"""A shard that crowds out others at so many looks in a row gets a lane of its own."""


class Term:
    """Evaluates the shards that are owned. `run` returns by an error or by cancellation only."""

    def __init__(
        self,
        owned: Mapping[int, Owned],
        *,
        store: SegmentStore,
        events: EventLog,
        alarms: Alarms,
        book: PlanBook,
        clock: Clock,
        lateness: int = 0,
        horizon: int | None = None,
        detail: Detail = Detail.CHANGES,
    ) -> None:
        self.owned = dict(owned)
        self._store = store
        self._events = events
        self._alarms = alarms
        self._clock = clock
        self._lateness = lateness
        self._horizon = horizon
        histories = Histories(events, horizon, self.owned)
        self.over = False
        self.may_divide = False
        self._slow: int | None = None
        self._log = get_logger()
        self._inbox = Inbox(min(shard.position for shard in owned.values()))
        self._adopting = Adopting(
            {shard: owned.plan_version for shard, owned in self.owned.items()},
            store=store,
            events=events,
            book=book,
            clock=clock,
            bell=self._inbox.bell,
        )
        self._quarantine = Quarantine(self.owned, self._adopting.plans, store=store, clock=clock)
        self._turns = Turns(
            self.owned,
            store=store,
            histories=histories,
            alarms=alarms,
            adopting=self._adopting,
            quarantine=self._quarantine,
            clock=clock,
            lateness=lateness,
            horizon=horizon,
            detail=detail,
        )
        self._background = Background(
            self.owned,
            store=store,
            histories=histories,
            inbox=self._inbox,
            adopting=self._adopting,
            quarantine=self._quarantine,
        )
        self._resting_until = 0.0
        self._checkpoint = self._inbox.position
        self._checkpoint_due = False
        self._finishing = False

    @property
    def position(self) -> int:
        """Everything up to here in the event log has been evaluated."""
        return self._inbox.position

    @property
    def waiting(self) -> int:
        """How many events were read and wait for their turn."""
        return len(self._inbox)

    @property
    def timers_away(self) -> bool:
        """Whether the delay queue does not answer."""
        return self._alarms.away

    @property
    def quarantined(self) -> int:
        """Of how many profiles something is set aside."""
        return len(self._quarantine)

    def standing(self) -> dict[int, Owned]:
        """The shards from where they stand, between two turns."""
        return {
            shard: replace(owned, position=max(owned.position, self.position))
            for shard, owned in self.owned.items()
        }

    async def run(self) -> None:
        """Serves the shards until something fails, or until the end that `finish` asked for."""
        try:
            await self._adopting.begin()
            await self._quarantine.begin()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(), name="read-events")
                tasks.create_task(self._take_turns(), name="turns")
                tasks.create_task(self._background.run(), name="rebuilds")
                tasks.create_task(self._adopting.run(), name="fills")
                tasks.create_task(self._watch_crowding(), name="crowding")
                tasks.create_task(self._quarantine.run(self._inbox), name="quarantine")
                tasks.create_task(self._alarms.run(self), name="alarms")
                tasks.create_task(self._keep_checkpoints(), name="checkpoints")
        except* (Finished, TermEnded):
            pass
        finally:
            self.over = True
            self._inbox.close(TermEnded("these shards are being handed over; ask again"))

    def finish(self) -> None:
        """Ends the term after the turn in hand, with everything that was read committed."""
        self._finishing = True
        self._inbox.bell.set()

    def set_apart(self, shard: int) -> None:
        """Ends the term by SlowShard after the turn in hand, where there are other shards too."""
        if len(self.owned) > 1:
            self._slow = shard
            self._inbox.bell.set()

    def notice_plans(self) -> None:
        """Tells that there may be a new plan version."""
        self._adopting.notice()

    async def look(
        self, keys: Sequence[Key], *, through: int, rung: bool = False, reader: Reader | None = None
    ) -> None:
        """Has profiles judged behind a barrier at `through` (milliseconds, UTC).

        Returns once that is committed. `reader` sees each profile right after; for it, a moment
        that the log's clock is far from is not waited for. Raises Unavailable where ingest does
        not answer.
        """
        try:
            barrier = await self._events.barrier(
                through, most_ms=None if reader is None else QUESTION_WAITS_MS
            )
        except grpc.aio.AioRpcError as error:
            raise Unavailable(
                f"ingest cannot say just now what was accepted ({error.details()}); try again"
            ) from error
        wake = Wake(keys=keys, barrier=barrier, rung=rung)
        if reader is not None:
            wake.reader = reader
        self._inbox.wake(wake)
        await wake.done

    async def _read(self) -> None:
        """Follows the event log; when ingest goes away, goes on from where it was."""
        pause = FIRST_PAUSE
        while True:
            received = self._inbox.received
            positions = {
                shard: max(owned.position, received) for shard, owned in self.owned.items()
            }
            try:
                async for records, through in self._events.tail(positions):
                    await self._inbox.put(records, through)
                    pause = FIRST_PAUSE
            except grpc.aio.AioRpcError as error:
                self._log.warning("event_log_lost", code=error.code().name, details=error.details())
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _take_turns(self) -> None:
        try:
            await self._do_turns()
        finally:
            # At once, and not with the rest of the term: who waits for a turn would wait for ever,
            # and the term for its end.
            self._inbox.close(TermEnded("these shards are being handed over; ask again"))

    async def _do_turns(self) -> None:
        while True:
            self._inbox.bell.clear()
            while not self._finishing:
                adopted, turn = await self._adopt_next(), self._inbox.take()
                if turn is not None:
                    await self._settled_turn(turn)
                if self._slow is not None:
                    raise SlowShard(self._slow)
                if turn is None and not adopted:
                    break
            if self._finishing:
                await self._checkpoint_now()
                raise Finished
            await self._checkpoint_if_far()
            await self._inbox.bell.wait()

    async def _watch_crowding(self) -> None:
        """Notices a shard that crowds out the others for seconds."""
        before, looks = None, 0
        while self._slow is None:
            await asyncio.sleep(CROWD_SECONDS)
            crowding = self._inbox.crowded_by() if self.may_divide else None
            looks = looks + 1 if crowding is not None and crowding == before else 1
            before = crowding
            if crowding is not None and looks >= CROWDED_LOOKS:
                self.set_apart(crowding)

    async def _settled_turn(self, turn: Turn) -> None:
        """Does a turn, and tells those who wait how it went."""
        began = asyncio.get_running_loop().time()
        try:
            if turn.finishing:
                await self._turns.finish_import(turn)
                self._background.notice()
            else:
                await self._turns.do(turn)
        except BaseException as error:
            if isinstance(error, Exception):
                FAILURES.labels(type(error).__name__).inc()
            turn.settle(TermEnded(f"the evaluation failed and is begun anew: {error}"))
            raise
        ended = asyncio.get_running_loop().time()
        TURN_SECONDS.observe(ended - began)
        if turn.records or turn.wakes:
            self._background.note_live()
        if turn.folding is not None:
            turn.folding.seconds = ended - began
        turn.settle()

    async def _adopt_next(self) -> bool:
        """Has shards judge by the next plan version from the next position on, if they can."""
        loop = asyncio.get_running_loop()
        if (began := loop.time()) < self._resting_until:
            return False
        position = self._inbox.position
        step = await self._adopting.next(position)
        if step is None:
            return False
        await self._turns.adopt(step, position)
        taken = loop.time() - began
        self._adopting.adopted(step, taken)
        if rest := self._background.rest(taken):
            self._resting_until = loop.time() + rest
            loop.call_later(rest, self._inbox.bell.set)
        self._background.notice()
        return True

    async def _keep_checkpoints(self) -> None:
        """Has positions committed now and then, so that whoever comes next need not read far."""
        while True:
            await asyncio.sleep(CHECKPOINT_SECONDS)
            if self._inbox.position > self._checkpoint:
                self._checkpoint_due = True
                self._inbox.bell.set()

    async def _checkpoint_if_far(self) -> None:
        """Moves the positions of quiet shards on, so that a new term need not read it all again."""
        if self._checkpoint_due or self._inbox.position - self._checkpoint >= CHECKPOINT_POSITIONS:
            await self._checkpoint_now()

    async def _checkpoint_now(self) -> None:
        position = self._inbox.position
        self._checkpoint_due = False
        if position > self._checkpoint:
            await self._store.commit(Effects(owned=self.owned, position=position))
            self._checkpoint = position


class Finished(Exception):
    """The term is over, as was asked for."""
