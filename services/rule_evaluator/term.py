"""A term: what one replica does from the moment it owns shards until it loses or gives them up.

All work passes through one loop of turns. A turn is one transaction: records of the log in their
order, then the wake-ups whose barrier they reach, then rebuilds. Its effects are committed behind
the fence, and only then are timers armed and callers answered. Any error ends the term: what was
not committed is thrown away, and the next term starts from what is in Postgres.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import grpc
from hairspring.engine.events import Event
from hairspring.ownership.port import Owned
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import Unavailable
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator import lines
from hairspring.services.rule_evaluator.adapters.event_log import EventLog, EventRecord
from hairspring.services.rule_evaluator.adopting import Adopting, AdoptionStep
from hairspring.services.rule_evaluator.alarms import Alarms
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.services.rule_evaluator.histories import Histories
from hairspring.services.rule_evaluator.kept import Kept
from hairspring.services.rule_evaluator.plans import PlanBook
from hairspring.services.rule_evaluator.work import (
    Folding,
    Inbox,
    Reader,
    Turn,
    Wake,
    waiting_rebuilds,
)
from hairspring.store.port import FILL, Effects, Finish, Key, SegmentStore, Stored
from hairspring.wire.inputs import to_engine
from hairspring.wire.times import to_ms

CHECKPOINT_POSITIONS = 20_000
REBUILDS_AT_ONCE = 100
#: What is filled takes one part in so many of the time while there is live work.
FILLING_SHARE = 4
LIVE_SECONDS = 0.25  #: How recent work has to be for that.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


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
    ) -> None:
        self.owned = dict(owned)
        self._store = store
        self._events = events
        self._alarms = alarms
        self._clock = clock
        self._lateness = lateness
        self._horizon = horizon
        self._histories = Histories(events, horizon)
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
        self._kept = Kept(store, self._adopting.plans)
        self._live_at = 0.0
        self._rebuilds_noticed = asyncio.Event()
        self._checkpoint = self._inbox.position

    async def run(self) -> None:
        """Serves the shards until something fails."""
        self._rebuilds_noticed.set()
        try:
            await self._adopting.begin()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(), name="read-events")
                tasks.create_task(self._turns(), name="turns")
                tasks.create_task(self._fold_in_background(), name="rebuilds")
                tasks.create_task(self._adopting.run(), name="fills")
                tasks.create_task(self._alarms.run(self), name="alarms")
        finally:
            self._inbox.close(TermEnded("these shards are being handed over; ask again"))

    def notice_plans(self) -> None:
        """Tells that there may be a new plan version."""
        self._adopting.notice()

    async def look(
        self, keys: Sequence[Key], *, through: int, rung: bool = False, reader: Reader | None = None
    ) -> None:
        """Has profiles judged behind a barrier at `through` (milliseconds, UTC).

        Returns once that is committed. `reader` sees each profile right after. Raises Unavailable
        where ingest does not answer.
        """
        try:
            barrier = await self._events.barrier(through)
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

    async def _turns(self) -> None:
        while True:
            self._inbox.bell.clear()
            adopted, turn = await self._adopt_next(), self._inbox.take()
            while adopted or turn is not None:
                if turn is not None:
                    await self._settled_turn(turn)
                adopted, turn = await self._adopt_next(), self._inbox.take()
            await self._checkpoint_if_far()
            await self._inbox.bell.wait()

    async def _settled_turn(self, turn: Turn) -> None:
        """Does a turn, and tells those who wait how it went."""
        began = asyncio.get_running_loop().time()
        try:
            await self._turn(turn)
        except BaseException as error:
            turn.settle(TermEnded(f"the evaluation failed and is begun anew: {error}"))
            raise
        ended = asyncio.get_running_loop().time()
        if turn.records or turn.wakes:
            self._live_at = ended
        if turn.folding is not None:
            turn.folding.seconds = ended - began
        turn.settle()

    async def _turn(self, turn: Turn) -> None:
        if turn.finishing:
            await self._finish_import(turn)
            return
        named = [_key(record) for record in turn.records]
        woken = [key for wake in turn.wakes for key in wake.keys]
        folded = list(turn.folding.histories) if turn.folding is not None else []
        stored = await self._kept.load({*named, *woken, *(key for key, _ in folded)})
        fold = self._fold(stored)
        histories = turn.folding.histories if turn.folding is not None else {}
        await self._fold_first(fold, histories, {*named, *woken, *(key for key, _ in folded)})
        for key, record in zip(named, turn.records, strict=True):
            if record.event.import_id:
                fold.touch(key, record.event.import_id)
            else:
                fold.event(key, to_engine(record))
        for wake in turn.wakes:
            for key in wake.keys:
                fold.passed(key, wake.barrier.through, rung=wake.rung)
        await self._commit(fold, fold.effects({}, turn.position))
        for wake in turn.wakes:
            for key in wake.keys:
                wake.reader(key, stored[key])

    def _fold(self, stored: Mapping[Key, Stored]) -> Fold:
        return Fold(stored, self._adopting.plans, lateness=self._lateness, horizon=self._horizon)

    async def _commit(self, fold: Fold, effects: Effects) -> None:
        shards = {saved.key.shard for saved in effects.states}
        shards |= {saved.key.shard for saved in effects.fills}
        shards |= {todo.key.shard for todo in (*effects.touched, *effects.rebuilt)}
        if not shards and not effects.owned:
            return
        shards |= effects.owned.keys()
        effects.owned = {shard: self.owned[shard] for shard in shards}
        await self._store.commit(effects)
        await self._alarms.arm(fold.alarms)
        now = self._clock()
        for told in fold.told:
            lines.write(self._log, told, now)

    async def _fold_first(
        self,
        fold: Fold,
        histories: Mapping[tuple[Key, str], list[Event]],
        keys: Collection[Key],
    ) -> None:
        """Rebuilds what waits to be rebuilt of profiles; reads the histories that are missing."""
        todo = [rebuild for key in sorted(keys) for rebuild in waiting_rebuilds(fold.stored[key])]
        missing = [rebuild for rebuild in todo if (rebuild.key, rebuild.cause) not in histories]
        if missing:
            histories = {**histories, **await self._histories.read(missing, fold.stored)}
        for rebuild in todo:
            fold.rebuild(rebuild, histories[rebuild.key, rebuild.cause])

    async def _fold_in_background(self) -> None:
        """Reads the histories of waiting rebuilds and has them folded, a few at a time."""
        time = asyncio.get_running_loop().time
        while True:
            self._rebuilds_noticed.clear()
            while ready := await self._store.ready(list(self.owned), REBUILDS_AT_ONCE):
                began = time()
                stored = await self._store.load({rebuild.key for rebuild in ready})
                folding = Folding(histories=await self._histories.read(ready, stored))
                reading = time() - began
                self._inbox.fold(folding)
                await folding.done
                if ready[0].cause == FILL and time() - self._live_at < LIVE_SECONDS:
                    await asyncio.sleep((FILLING_SHARE - 1) * (reading + folding.seconds))
            self._adopting.notice()
            await self._rebuilds_noticed.wait()

    async def _finish_import(self, turn: Turn) -> None:
        """From here on the profiles that the import touched wait to be rebuilt."""
        records = turn.records
        finish = Finish(
            cause=records[0].import_finished.import_id,
            positions={record.shard: record.position for record in records},
            through=to_ms(records[-1].accept_time),
            with_flows=records[0].import_finished.with_flows,
        )
        owned = {shard: self.owned[shard] for shard in finish.positions}
        await self._store.commit(Effects(owned=owned, position=turn.position, finishes=[finish]))
        self._log.info("import_finished", import_id=finish.cause, position=turn.position)
        self._kept.clear()
        self._rebuilds_noticed.set()

    async def _adopt_next(self) -> bool:
        """Has shards judge by the next plan version from the next position on, if they can."""
        step = await self._adopting.next(self._inbox.position)
        if step is None:
            return False
        fold = self._fold(await self._kept.load(step.profiles))
        if step.profiles and step.after.activation is not None:
            await self._fold_first(fold, {}, step.profiles)
            for key in step.profiles:
                fold.activate(key, step.after, step.after.activation.through)
        owned = {shard: self.owned[shard] for shard in step.shards}
        effects = fold.effects(owned, self._inbox.position)
        effects.adoption = step.after.adoption_from(step.before)
        await self._commit(fold, effects)
        self._adopted(step)
        return True

    def _adopted(self, step: AdoptionStep) -> None:
        """From here on these shards are judged by other plans."""
        version = step.after.version
        for shard in step.shards:
            self.owned[shard] = replace(self.owned[shard], plan_version=version)
        self._adopting.adopted(step)
        if step.after.activation is None:
            self._kept.clear()
        self._rebuilds_noticed.set()
        self._log.info("plan_adopted", plan_version=version, shards=len(step.shards))

    async def _checkpoint_if_far(self) -> None:
        """Moves the positions of quiet shards on, so that a new term need not read it all again."""
        position = self._inbox.position
        if position - self._checkpoint < CHECKPOINT_POSITIONS:
            return
        await self._store.commit(Effects(owned=self.owned, position=position))
        self._checkpoint = position


class TermEnded(Exception):
    """The evaluation of a shard was interrupted; it goes on from what was committed."""


def _key(record: EventRecord) -> Key:
    return Key(record.shard, record.workspace_id, record.profile_id)
