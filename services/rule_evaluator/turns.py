"""Turns: each is folded, committed behind the fence in one transaction, and only then told.

What raises while it is folded is sifted out, see `setting_aside.py`; what fails at the commit ends
the term.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from hairspring.engine.state import ProfileState
from hairspring.log.port import Appended
from hairspring.ownership.port import Owned
from hairspring.runtime.clock import Clock
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.adopting import Adopting, AdoptionStep
from hairspring.services.rule_evaluator.alarms import Alarms
from hairspring.services.rule_evaluator.departing import Departing, departing_of, left_of
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.services.rule_evaluator.histories import Histories, JointHistory
from hairspring.services.rule_evaluator.kept import Kept
from hairspring.services.rule_evaluator.lines import Detail, Lines
from hairspring.services.rule_evaluator.metrics import count_commit
from hairspring.services.rule_evaluator.pieces import Steps, pieces_of
from hairspring.services.rule_evaluator.quarantine import Quarantine
from hairspring.services.rule_evaluator.retrying import Retrying, as_told
from hairspring.services.rule_evaluator.setting_aside import Sifting, may_be_poison
from hairspring.services.rule_evaluator.work import (
    EventRecord,
    History,
    Retries,
    Turn,
    Wake,
    key_of,
    waiting_rebuilds,
)
from hairspring.store.encoding import UnreadableState
from hairspring.store.port import FILL, Effects, Finish, Key, Rebuild, SegmentStore, Stored
from hairspring.wire.inputs import to_engine
from hairspring.wire.times import to_ms


class Turns:
    """Does turns one after another, for the shards that a term owns (`owned` is kept current)."""

    def __init__(
        self,
        owned: dict[int, Owned],
        *,
        store: SegmentStore,
        histories: Histories,
        alarms: Alarms,
        adopting: Adopting,
        quarantine: Quarantine,
        clock: Clock,
        lateness: int,
        horizon: int | None,
        detail: Detail,
    ) -> None:
        self._owned = owned
        self._store = store
        self._histories = histories
        self._alarms = alarms
        self._adopting = adopting
        self._quarantine = quarantine
        self._clock = clock
        self._lateness = lateness
        self._horizon = horizon
        self._kept = kept = Kept(store, adopting.plans)
        self._departing: dict[Key, Departing] = {}
        self._sifting = Sifting(self._fresh, self._fold, quarantine, clock)
        self._retrying = Retrying(store, kept.fresh, histories, self._fold, quarantine, clock)
        self._lines = Lines(detail)
        self._log = get_logger()

    async def do(self, turn: Turn) -> None:
        """Does a turn of events and wake-ups, then what is to be folded anew."""
        self._departing = await departing_of(turn, self._store)
        if self._departing:
            turn.records = left_of(turn.records, self._departing)
        try:
            fold, effects = await self._folded(turn)
        except Exception as error:
            if not may_be_poison(error):
                raise
            fold, effects = await self._sifted(turn, error)
        await self._commit(fold, effects, turn.records)
        self._histories.evaluated(turn.records, turn.position)
        self._departing = {}
        for wake in turn.wakes:
            await self._read(wake, fold.stored)
        if turn.retries is not None:
            await self._retry(turn.retries, turn.position)

    async def finish_import(self, turn: Turn) -> None:
        """From here on the profiles that the import touched wait to be rebuilt."""
        records = turn.records
        finish = Finish(
            workspace=records[0].workspace_id,
            cause=records[0].import_finished.import_id,
            positions={record.shard: record.position for record in records},
            through=to_ms(records[-1].accept_time),
            with_flows=records[0].import_finished.with_flows,
        )
        owned = {shard: self._owned[shard] for shard in finish.positions}
        await self._store.commit(Effects(owned=owned, position=turn.position, finishes=[finish]))
        self._log.info("import_finished", import_id=finish.cause, position=turn.position)
        self._kept.clear()

    async def adopt(self, step: AdoptionStep, position: int) -> None:
        """Has shards judge by the next plan version from the next position on."""
        try:
            fold, effects = await self._activated(step, position)
        except Exception as error:
            if not may_be_poison(error):
                raise
            fold, effects = await self._activated_sifted(step, position, error)
        effects.owned = {shard: self._owned[shard] for shard in step.shards}
        effects.adoption = step.after.adoption_from(step.before)
        await self._commit(fold, effects)
        version = step.after.version
        for shard in step.shards:
            self._owned[shard] = replace(self._owned[shard], plan_version=version)
        if step.after.activation is None:
            self._kept.forget_shards(step.shards)
        self._log.info("plan_adopted", plan_version=version, shards=len(step.shards))

    def _fold(self, stored: dict[Key, Stored]) -> Fold:
        return Fold(stored, self._adopting.plans, lateness=self._lateness, horizon=self._horizon)

    async def _folded(self, turn: Turn) -> tuple[Fold, Effects]:
        """What follows from a turn, but for profiles that are held."""
        held, departing = self._held(), self._departing
        events, woken = _by_profile(turn, held)
        todo = turn.folding.todo if turn.folding is not None else ()
        ahead = turn.folding.histories if turn.folding is not None else {}
        waiting = [one.key for one in todo if one.key not in held]
        keys = dict.fromkeys((*departing, *events, *woken, *waiting))
        fold = self._fold(await self._kept.load(keys))
        for key, gone in departing.items():
            for deletion, standing in gone.deletions:
                fold.depart(key, deletion, standing)
        await self._fold_first(fold, ahead, _due(turn, fold, keys))
        joint = await self._joint(turn) if turn.merging else {}
        for key in keys:
            for record in events.get(key, ()):
                event = record.event
                if event.import_id:
                    fold.touch(key, event.import_id)
                elif turn.merging and record.WhichOneof("body") != "event":
                    _merge(fold, key, record, joint)
                else:
                    fold.event(key, to_engine(record))
            for wake in woken.get(key, ()):
                fold.passed(key, wake.barrier.through, rung=wake.rung)
            fold.close(key)
        self._pass_by(fold, turn)
        if turn.merging:
            await self._part_held(fold, turn)
        return fold, fold.effects({}, turn.position)

    async def _joint(self, turn: Turn) -> dict[int, JointHistory]:
        """Reads what profiles of this turn are folded anew from, since others joined them."""
        held = self._quarantine.held
        merged = [record for record in turn.records if record.WhichOneof("body") == "merged"]
        return await self._histories.joint([one for one in merged if key_of(one) not in held])

    async def _part_held(self, fold: Fold, turn: Turn) -> None:
        """Ends profiles that are held and became part of others, as far as they were told of."""
        gone = [
            record
            for record in turn.records
            if record.WhichOneof("body") == "merged_away"
            and key_of(record) in self._quarantine.held
        ]
        for record in gone:
            key, at = key_of(record), to_ms(record.accept_time)
            standing = await self._store.standing(key)
            fold.stored[key] = Stored(state=as_told(standing, at - 1))
            fold.parted(key, record.merged_away.into_profile_id, at)
        self._kept.forget(map(key_of, gone))

    def _held(self) -> Collection[Key]:
        """The profiles of which nothing is judged in this turn."""
        held = self._quarantine.held
        return held - self._departing.keys() if self._departing else held

    async def _fresh(self, keys: Sequence[Key]) -> dict[Key, Stored]:
        """Profiles as they are stored, to be tried with; of one that is deleted nothing counts."""
        staying = [key for key in keys if key not in self._departing]
        found = await self._kept.fresh(staying) if staying else {}
        gone = [key for key in keys if key in self._departing]
        return {**found, **{key: Stored(state=ProfileState()) for key in gone}}

    def _pass_by(self, fold: Fold, turn: Turn) -> None:
        """Does what is left to do for profiles that are held: once released, all is folded."""
        held = self._held()
        for record in turn.records if held else ():
            if record.event.import_id and (key := key_of(record)) in held:
                fold.touch_unread(key, record.event.import_id)
        for one in turn.folding.todo if turn.folding is not None else ():
            if one.key in held:
                fold.dismiss(one)

    async def _sifted(self, turn: Turn, error: Exception) -> tuple[Fold, Effects]:
        """The same, without what raises."""
        self._log.warning("turn_raised", error=type(error).__name__, records=len(turn.records))
        held = self._held()
        steps = {key: Steps(deletions=gone.deletions) for key, gone in self._departing.items()}
        for record in turn.records:
            steps.setdefault(key_of(record), Steps()).records.append(record)
        for wake in turn.wakes:
            for key in wake.keys:
                steps.setdefault(key, Steps()).passed.append((wake.barrier.through, wake.rung))
        for one in turn.folding.todo if turn.folding is not None else ():
            steps.setdefault(one.key, Steps())
        parts = {
            key: partial(pieces_of, mine, self._histories)
            for key, mine in sorted(steps.items())
            if key not in held
        }
        self._kept.forget(parts)
        fold, aside = await self._sifting.sift(parts, turn.position)
        self._pass_by(fold, turn)
        if turn.merging:
            await self._part_held(fold, turn)
        effects = fold.effects({}, turn.position)
        effects.set_aside = aside
        return fold, effects

    async def _activated(self, step: AdoptionStep, position: int) -> tuple[Fold, Effects]:
        keys = [key for key in step.profiles if key not in self._quarantine.held]
        fold = self._fold(await self._kept.load(keys))
        if keys and step.after.activation is not None:
            await self._fold_first(fold, {}, keys)
            for key in keys:
                fold.activate(key, step.after, step.after.activation.through)
        return fold, fold.effects({}, position)

    async def _activated_sifted(
        self, step: AdoptionStep, position: int, error: Exception
    ) -> tuple[Fold, Effects]:
        """The same, without those whose activation raises."""
        self._log.warning("activation_raised", error=type(error).__name__)
        parts = {
            key: partial(pieces_of, Steps(activation=step.after), self._histories)
            for key in step.profiles
            if key not in self._quarantine.held
        }
        self._kept.forget(parts)
        fold, aside = await self._sifting.sift(parts, position)
        effects = fold.effects({}, position)
        effects.set_aside = aside
        return fold, effects

    async def _retry(self, retries: Retries, position: int) -> None:
        """Folds profiles in quarantine anew."""
        marked = [one for one in retries.retries if one.key in self._quarantine]
        fold, effects = await self._retrying.retry(marked, position)
        self._kept.forget(one.key for one in marked)
        await self._commit(fold, effects)

    async def _fold_first(
        self,
        fold: Fold,
        ahead: Mapping[Rebuild, History],
        keys: Iterable[Key],
    ) -> None:
        """Rebuilds what waits to be rebuilt of profiles; reads the histories that are missing."""
        waiting = sorted(key for key in keys if fold.stored[key].rebuilds)
        todo = [rebuild for key in waiting for rebuild in waiting_rebuilds(fold.stored[key])]
        histories = self._histories.at_hand(todo, ahead)
        missing = [rebuild for rebuild in todo if rebuild not in histories]
        if missing:
            histories |= await self._histories.read(missing, fold.stored)
        for rebuild in todo:
            fold.rebuild(rebuild, histories[rebuild])

    async def _commit(
        self, fold: Fold, effects: Effects, records: Sequence[EventRecord] = ()
    ) -> None:
        """Commits, arms the timers, and tells of it and of the events that were judged."""
        appended: list[Appended] = []
        shards = {key.shard for key in effects.profiles()} | effects.owned.keys()
        if shards:
            effects.owned = {shard: self._owned[shard] for shard in shards}
            appended = await self._store.commit(effects)
            self._quarantine.committed(effects)
            await self._alarms.disarm([gone.key for gone in effects.departures])
            await self._alarms.arm(fold.alarms)
        now = self._clock()
        count_commit(fold, effects, len(records), now)
        self._lines.of_turn(fold, appended, records, now)

    async def _read(self, wake: Wake, found: Mapping[Key, Stored]) -> None:
        """Shows profiles to whoever had them looked at; what raises there is that caller's."""
        try:
            for key in wake.keys:
                stored = found[key] if key in found else await self._readable(key)
                stored.incomplete = key in self._quarantine
                wake.reader(key, stored)
                stored.close()
        except Exception as error:
            if not may_be_poison(error):
                raise
            if not wake.done.done():
                wake.done.set_exception(error)

    async def _readable(self, key: Key) -> Stored:
        """A profile that is held, as far as it can be read."""
        try:
            return (await self._kept.fresh([key]))[key]
        except UnreadableState:
            return Stored(state=ProfileState())


def _merge(fold: Fold, key: Key, record: EventRecord, joint: Mapping[int, JointHistory]) -> None:
    if record.WhichOneof("body") == "merged":
        fold.joined(key, joint[record.position])
    else:
        fold.parted(key, record.merged_away.into_profile_id, to_ms(record.accept_time))


def _due(turn: Turn, fold: Fold, keys: Iterable[Key]) -> list[Key]:
    """The profiles of which what waits is folded now.

    What only waits to be filled is left to the background, and catches up then; but not where the
    profile becomes part of another, or another of it.
    """
    asked = {one.key for one in turn.folding.todo} if turn.folding is not None else set()
    if turn.merging:
        asked |= {key_of(one) for one in turn.records if one.WhichOneof("body") != "event"}
    return [
        key
        for key in keys
        if (waiting := fold.stored[key].rebuilds)
        and (key in asked or any(one.cause != FILL and one.position is not None for one in waiting))
    ]


def _by_profile(
    turn: Turn, held: Collection[Key]
) -> tuple[dict[Key, list[EventRecord]], dict[Key, list[Wake]]]:
    """The events and the wake-ups of each profile, but for those that are held."""
    events: dict[Key, list[EventRecord]] = {}
    for record in turn.records:
        key = key_of(record)
        if key in events:
            events[key].append(record)
        elif key not in held:
            events[key] = [record]
    woken: dict[Key, list[Wake]] = {}
    for wake in turn.wakes:
        for key in wake.keys:
            if key not in held:
                woken.setdefault(key, []).append(wake)
    return events, woken
