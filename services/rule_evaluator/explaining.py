"""Explaining the past: reads what is recorded of a profile, and folds it up to a moment.

The plan in force at a moment is found by when each plan was applied. Shards adopt a plan some
milliseconds after that; where the profile's own records tell that an event was still judged by an
older plan, the newer one counts from behind that event.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.engine import past
from hairspring.engine.events import Event
from hairspring.engine.explain import Account, account
from hairspring.engine.past import Entry, InForce
from hairspring.engine.plan import Plan
from hairspring.engine.segments import Segment
from hairspring.log.port import Log
from hairspring.runtime.errors import Exhausted, InvalidInput, NotFound
from hairspring.services.rule_evaluator import going_back
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.services.rule_evaluator.going_back import Case, fold
from hairspring.services.rule_evaluator.plans import PlanBook
from hairspring.services.rule_evaluator.recorded import all_recorded
from hairspring.store.definitions import Applied, DefinitionStore
from hairspring.store.port import Key, SegmentStore
from hairspring.store.quarantine import SetAside, What
from hairspring.wire.inputs import to_entries
from hairspring.wire.times import iso, to_ms

MOST_ENTRIES = 100_000
MOST_PLANS = 50

Record = transition_pb2.Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment `at` (milliseconds, UTC), or that at which the transition at `position` was told."""

    at: int | None = None
    position: int | None = None
    hindsight: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """How a profile stood to a segment at `at`, with the events and records that this names."""

    at: int
    segment: Segment
    account: Account
    events: dict[int, event_pb2.EventRecord]
    records: list[Record]
    notes: list[str] = field(default_factory=list)


class Explaining:
    """Goes back in what is recorded. `lateness` and `horizon` are in milliseconds."""

    def __init__(
        self,
        events: EventLog,
        log: Log,
        definitions: DefinitionStore,
        book: PlanBook,
        store: SegmentStore,
        *,
        lateness: int,
        horizon: int,
    ) -> None:
        self._events = events
        self._log = log
        self._definitions = definitions
        self._book = book
        self._store = store
        self._lateness = lateness
        self._horizon = horizon
        self._turn = asyncio.Semaphore(1)  # one fold at a time leaves room for live evaluation

    async def explain(self, key: Key, segment: str, moment: Moment, now: int) -> Explained:
        """Explains how a profile stood to a segment. Raises NotFound, InvalidInput, Exhausted."""
        recorded = await self._events.life(key.workspace, key.profile, MOST_ENTRIES)
        if len(recorded) > MOST_ENTRIES:
            raise Exhausted(
                f"more than {MOST_ENTRIES} events are recorded of this profile; its past cannot be"
                " explained, only how it stands now"
            )
        records = await self.records(key)
        decided = _decided(records, segment, moment)
        at = to_ms(decided.transition.effective_time) if decided else moment.at or 0
        since = await self._events.kept_since()
        if since is not None and at <= since and not moment.hindsight:
            raise InvalidInput(
                f"what was accepted up to {iso(since)} is no longer kept, so nothing can be told of"
                f" {iso(at)}: ask about a later moment"
            )
        if at > now:
            raise InvalidInput(f"{iso(at)} has not come yet; ask for a moment that has passed")
        aside = await self.set_aside(key)
        left_out = {one.position for one in aside if one.what is What.EVENT}
        entries = to_entries(one for one in recorded if one.position not in left_out)
        applied = await self._definitions.changed(key.workspace, "segment")
        case = Case(
            entries=entries,
            plans=await self._plans(key.workspace, entries, records, applied, at, decided),
            at=at,
            decided=None if moment.hindsight else decided,
            lateness=self._lateness,
            horizon=self._horizon,
        )
        plan, notes = case.plans[-1].plan, list[str]()
        if segment not in plan.number:
            plan, notes = await self._today(key.workspace, segment, at, moment, applied)
        found = plan.segments[plan.number[segment]]
        async with self._turn:
            state, more = await asyncio.to_thread(fold, case, plan, moment.hindsight)
        return Explained(
            at=at,
            segment=found,
            account=account(found, state, at),
            events={record.position: record for record in recorded},
            records=latest(records, segment, at, None if decided is None else decided.position),
            notes=[
                *going_back.notes(aside),
                *_dropped(since),
                *_deletions(records, at),
                *notes,
                *more,
            ],
        )

    async def set_aside(self, key: Key) -> list[SetAside]:
        """What is in quarantine of a profile."""
        return await self._store.quarantine(key.workspace, key.profile, ("", -1, ""), 1_000)

    async def records(self, key: Key) -> list[Record]:
        """All that the evaluator recorded of a profile, in log order."""
        return [record async for record in all_recorded(self._log, key)]

    async def _plans(
        self,
        workspace: str,
        entries: Sequence[Entry],
        records: Sequence[Record],
        applied: Sequence[Applied],
        at: int,
        decided: Record | None,
    ) -> list[InForce]:
        """The plans from the profile's first event on up to the one in force at the moment."""
        began = past.accepted_at(entries[0]) if entries else at
        starts = _starts(applied, entries, records)
        if decided is not None:
            wanted = [one for one in starts if one[1] <= decided.plan_version]
        else:
            wanted = [one for one in starts if one[0] <= at]
        before = [one for one in wanted if one[0] <= began]
        chain = [*before[-1:], *(one for one in wanted if one[0] > began)]
        plans = [] if before else [InForce(since=0, plan=Plan(()))]
        for since, version in chain[-MOST_PLANS:]:
            found = (await self._book.at(version)).by_workspace.get(workspace) or Plan(())
            plans.append(InForce(since=since, plan=found))
        return plans

    async def _today(
        self,
        workspace: str,
        segment: str,
        at: int,
        moment: Moment,
        applied: Sequence[Applied],
    ) -> tuple[Plan, list[str]]:
        """Today's plan, for a segment that did not exist then; only by hindsight."""
        latest = await self._definitions.latest()
        plan = (await self._book.at(latest)).by_workspace.get(workspace) or Plan(())
        if segment not in plan.number:
            raise NotFound(f"there is no segment {segment!r} now, and there was none at {iso(at)}")
        version = plan.segments[plan.number[segment]].version
        since = next((one.applied_at for one in applied if one.version == version), 0)
        if not moment.hindsight:
            raise NotFound(
                f"there was no segment {segment!r} at {iso(at)}: its definition is of {iso(since)};"
                " by hindsight, today's definition can be asked about that moment"
            )
        return plan, [f"the segment did not exist then; judged by its definition of {iso(since)}"]


def latest(
    records: Sequence[Record], segment: str, at: int, position: int | None = None, most: int = 20
) -> list[Record]:
    """The latest records of a segment that concern moments up to `at` (milliseconds, UTC).

    With `position`, none that was recorded later.
    """
    found = [
        record
        for record in records
        for body in [record.WhichOneof("body")]
        if body in ("transition", "held", "dropped")
        and getattr(record, body).segment == segment
        and _moment_of(record) <= at
        and (position is None or record.position <= position)
    ]
    return found[-most:]


def _dropped(since: int | None) -> list[str]:
    """What has to be known where the retention dropped events up to a moment (ms, UTC)."""
    if since is None:
        return []
    return [f"events accepted up to {iso(since)} are no longer kept, and do not count here"]


def _deletions(records: Sequence[Record], at: int) -> list[str]:
    """What has to be known where the profile was deleted after a moment (milliseconds, UTC)."""
    moments = [
        to_ms(record.profile_deleted.delete_time)
        for record in records
        if record.WhichOneof("body") == "profile_deleted"
    ]
    if not moments or moments[-1] < at:
        return []
    return [f"the profile was deleted at {iso(moments[-1])}: what it did before is not known"]


def _moment_of(record: Record) -> int:
    body = record.WhichOneof("body")
    if body == "transition":
        return to_ms(record.transition.effective_time)
    return to_ms(record.held.rise_time if body == "held" else record.dropped.rise_time)


def _decided(records: Sequence[Record], segment: str, moment: Moment) -> Record | None:
    """The recorded transition that is asked about, by its position or by its very moment."""
    own = [
        record
        for record in records
        if record.WhichOneof("body") == "transition" and record.transition.segment == segment
    ]
    if moment.position is not None:
        for record in own:
            if record.position == moment.position:
                return record
        raise NotFound(
            f"there is no transition of this profile and segment at position {moment.position};"
            " `hairspring transitions --why` tells the positions"
        )
    if moment.hindsight:
        return None
    at = [record for record in own if to_ms(record.transition.effective_time) == moment.at]
    return at[-1] if at else None


def _starts(
    applied: Sequence[Applied], entries: Sequence[Entry], records: Sequence[Record]
) -> list[tuple[int, int]]:
    """From when on which plan version judged the profile's events."""
    accepted = {entry.order: entry.accepted_at for entry in entries if isinstance(entry, Event)}
    judged = [
        (record.plan_version, accepted[order])
        for record in records
        for order in [_order_of(record)]
        if order in accepted
    ]
    return [
        (
            max([one.applied_at, *(at for version, at in judged if version < one.version)]) + 1,
            one.version,
        )
        for one in applied
    ]


def _order_of(record: Record) -> int | None:
    """The place of the event that caused a record; None where time did."""
    cause = record.transition.cause
    if record.WhichOneof("body") == "transition" and cause.WhichOneof("kind") == "event":
        return cause.event.position
    return record.matched.event.position if record.WhichOneof("body") == "matched" else None
