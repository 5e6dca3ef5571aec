"""Follows the evaluator's log: starts and ends runs, and commits them with the position."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.log.shards import shard_of
from hairspring.runtime.clock import Clock
from hairspring.runtime.logging import get_logger
from hairspring.services.delivery.adapters.calls import Away
from hairspring.services.delivery.adapters.definitions import Definitions
from hairspring.services.delivery.adapters.evaluator import Evaluator, Records
from hairspring.services.delivery.departing import Departure
from hairspring.services.delivery.following import (
    Book,
    Change,
    Entered,
    FlowsOf,
    Left,
    Merged,
    fold,
    run_of,
)
from hairspring.services.delivery.ledger import Ledger
from hairspring.services.delivery.metrics import SET_ASIDE
from hairspring.services.delivery.runs import Entry, Run
from hairspring.services.delivery.setting_aside import TRIES, may_be_poison, place_of_error
from hairspring.services.delivery.store import DeliveryStore, Place
from hairspring.services.delivery.telling import tell_messages, tell_runs
from hairspring.services.delivery.waits import Waits, Wake
from hairspring.wire.flows import Flow
from hairspring.wire.times import ms_of, to_ms

BATCH = 500
PROGRESS_MS = 2_000
"""How often a position that moved without any effect is committed."""

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0

log = get_logger()


class Follower:
    """Turns transitions into runs. Where the evaluator is away, it waits and goes on."""

    def __init__(
        self,
        evaluator: Evaluator,
        definitions: Definitions,
        store: DeliveryStore,
        ledger: Ledger,
        waits: Waits,
        clock: Clock,
        *,
        shard_count: int,
    ) -> None:
        self._evaluator = evaluator
        self._definitions = definitions
        self._store = store
        self._ledger = ledger
        self._waits = waits
        self._clock = clock
        self._shard_count = shard_count
        self._read = 0
        self._committed = 0
        self._committed_at = 0

    def begin(self) -> None:
        """Take up the shards that are owned now, each from where it was committed."""
        self._read = self._committed = 0

    async def run(self) -> None:
        """Follow the log without end. After an error, call it again: it goes on where it was."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                async for batch in self._evaluator.tail(self._positions(), BATCH):
                    await self.on_batch(batch)
                    pause = FIRST_PAUSE_SECONDS
                log.info("tail_ended", again_in_seconds=pause)
            except Away as error:
                log.warning("tail_broke_off", error=str(error), again_in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2)

    async def on_batch(self, batch: Records) -> None:
        """Take records in, and where the code raises, one by one. Raises Away, Fenced."""
        try:
            await self._take_in(batch)
        except Exception as error:
            if not may_be_poison(error):
                raise
            for record in batch.records:
                await self._take_in_or_leave(record)
            await self._take_in(Records(records=[], through=batch.through))

    async def _take_in_or_leave(self, record: transition_pb2.Record) -> None:
        """Take a record in, or, after some tries, leave it: told in the log, and counted."""
        for left in reversed(range(TRIES)):
            try:
                await self._take_in(Records(records=[record], through=record.position))
                return
            except Exception as error:
                if not may_be_poison(error):
                    raise
                if left:
                    continue
                SET_ASIDE.labels("record").inc()
                log.error(
                    "record_set_aside",
                    workspace=record.workspace_id,
                    profile=record.profile_id,
                    position=record.position,
                    trace_id=record.trace_id,
                    error=type(error).__name__,
                    raised_at=place_of_error(error),
                )

    async def _take_in(self, batch: Records) -> None:
        """Do what these records ask for, in their order."""
        begin = 0
        for place, record in enumerate(batch.records):
            if record.WhichOneof("body") == "profile_deleted":
                before = batch.records[begin:place]
                await self._follow(Records(records=before, through=record.position - 1))
                await self._depart(record)
                begin = place + 1
        await self._follow(Records(records=batch.records[begin:], through=batch.through))

    async def _depart(self, record: transition_pb2.Record) -> None:
        """Delete what there is of a profile, and cancel its waits."""
        departure = Departure(
            shard=record.shard,
            workspace=record.workspace_id,
            profile=record.profile_id,
            deletion_id=record.profile_deleted.deletion_id,
            position=record.position,
            at=self._clock(),
        )
        async with (
            self._ledger.turn(),
            self._ledger.effect({record.shard}, record.position) as connection,
        ):
            gone = await self._store.depart(connection, departure)
        self._read = record.position
        await self._waits.cancel(gone.runs)
        log.info(
            "profile_deleted",
            workspace=departure.workspace,
            deletion_id=departure.deletion_id,
            runs=len(gone.runs),
            messages=gone.messages,
        )

    async def _follow(self, batch: Records) -> None:
        """Decide what transitions mean, commit it, then set the waits."""
        changes = [change for record in batch.records for change in changes_of(record)]
        flows_of = await self._flows_of(changes)
        async with self._ledger.turn():
            active, written = await self._read_runs(changes, flows_of)
            book = await self._open(changes, active, written)
            runs = fold(book, changes, flows_of)
            merged = [change for change in changes if isinstance(change, Merged)]
            if runs or merged:
                await self._commit(runs, merged, active, batch.through)
        self._read = batch.through
        # What was written before got no waits, if the commit was heard of as a failure.
        as_it_stands = {run.run_id: run for run in (*written, *runs)}
        await self._waits.follow(as_it_stands.values())
        if self._clock() - self._committed_at >= PROGRESS_MS:
            await self.commit_progress()

    async def commit_progress(self) -> None:
        """Commit how far the log was read, for every shard. Raises Fenced."""
        if self._read <= self._committed or not self._ledger.owned:
            return
        through = self._read
        async with self._ledger.turn(), self._ledger.effect(self._ledger.owned, through):
            pass
        self._committed = through
        self._committed_at = self._clock()

    async def _commit(
        self, runs: Sequence[Run], merged: Sequence[Merged], active: Sequence[Run], through: int
    ) -> None:
        shards = {run.shard for run in runs} | {one.shard for one in merged}
        async with self._ledger.effect(shards, through) as connection:
            await self._store.save_runs(connection, runs)
            await self._store.save_formers(connection, [self._former(one) for one in merged])
            skipped = await self._store.skip_pending(connection, runs)
        known = {run.run_id for run in active}
        tell_runs(runs, started=[run.run_id for run in runs if run.run_id not in known])
        tell_messages(skipped, runs)

    def _former(self, merged: Merged) -> tuple[Place, Place]:
        """Where the rows of a profile are, and of the one that became part of it."""
        workspace, former = merged.workspace, merged.former
        shard = shard_of(workspace, former, self._shard_count)
        return place_of(merged), (shard, workspace, former)

    async def _read_runs(
        self, changes: Sequence[Change], flows_of: FlowsOf
    ) -> tuple[list[Run], list[Run]]:
        """Read the runs of these profiles that go on, and those that these changes did set off."""
        everybody = sorted({place_of(change) for change in changes})
        active = await self._store.active_of(everybody) if everybody else []
        wakes = _set_off(changes, flows_of)
        written = await self._store.runs_of(wakes) if wakes else []
        return active, written

    async def _open(
        self, changes: Sequence[Change], active: Sequence[Run], written: Sequence[Run]
    ) -> Book:
        """Open the book of the profiles that these changes are about."""
        entered = {place_of(change) for change in changes if _may_start(change)}
        starts = await self._store.last_starts(sorted(entered)) if entered else {}
        return Book(active, starts, [run.run_id for run in written])

    async def _flows_of(self, changes: Sequence[Change]) -> FlowsOf:
        """Read the flows of every plan version that these changes were judged by."""
        wanted = dict.fromkeys(
            (change.entry.workspace, change.entry.plan_version)
            for change in changes
            if isinstance(change, Entered) and change.sets_off_flows
        )
        known: Mapping[tuple[str, int], Sequence[Flow]] = {
            key: list((await self._definitions.at(*key)).flows.values()) for key in wanted
        }
        return lambda workspace, version: known[workspace, version]

    def _positions(self) -> dict[int, int]:
        """Where to go on: after what was committed at the start, or read since."""
        owned = self._ledger.owned.values()
        return {one.shard: max(one.position, self._read) for one in owned}


def changes_of(record: transition_pb2.Record) -> list[Change]:
    """Read what a record of the evaluator's log means to delivery: one change, or none."""
    body = record.WhichOneof("body")
    if body == "merged":
        return [_merged(record)]
    if body != "transition":
        return []
    transition = record.transition
    if transition.change == transition_pb2.CHANGE_LEFT and transition.merged_profile_id:
        return []  # The membership goes on under another id, and so do the runs.
    effective_at = to_ms(transition.effective_time)
    if transition.change == transition_pb2.CHANGE_LEFT:
        return [
            Left(
                shard=record.shard,
                workspace=record.workspace_id,
                profile=record.profile_id,
                segment=transition.segment,
                position=record.position,
                effective_at=effective_at,
            )
        ]
    if transition.change != transition_pb2.CHANGE_ENTERED:
        return []
    entered_at = ms_of(transition, "enter_time")
    entry = Entry(
        shard=record.shard,
        workspace=record.workspace_id,
        profile=record.profile_id,
        segment=transition.segment,
        position=record.position,
        plan_version=record.plan_version,
        effective_at=effective_at,
        entered_at=effective_at if entered_at is None else entered_at,
        trace_id=record.trace_id,
        record=record.SerializeToString(),
    )
    return [Entered(entry=entry, sets_off_flows=transition.sets_off_flows)]


def _merged(record: transition_pb2.Record) -> Merged:
    return Merged(
        shard=record.shard,
        workspace=record.workspace_id,
        profile=record.profile_id,
        former=record.merged.former_profile_id,
        position=record.position,
        entered={one.segment: to_ms(one.enter_time) for one in record.merged.memberships},
    )


def place_of(change: Change) -> Place:
    """Tell where the rows of the profile are that changed."""
    of = change.entry if isinstance(change, Entered) else change
    return (of.shard, of.workspace, of.profile)


def _set_off(changes: Sequence[Change], flows_of: FlowsOf) -> list[Wake]:
    """Name the runs that these changes set off, or did when they were read before."""
    entries = [
        change.entry for change in changes if isinstance(change, Entered) and change.sets_off_flows
    ]
    return [
        Wake(
            shard=entry.shard,
            workspace=entry.workspace,
            profile=entry.profile,
            run_id=run_of(entry, flow),
        )
        for entry in entries
        for flow in flows_of(entry.workspace, entry.plan_version)
        if flow.entered == entry.segment
    ]


def _may_start(change: Change) -> bool:
    return isinstance(change, Entered) and change.sets_off_flows
