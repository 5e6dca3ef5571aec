"""The log lines of the evaluation, so that "did it fire, and why not" has an answer.

They name profiles, segments, events and moments, and never say what is in an event or a trait.
"""

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import assert_never

from hairspring.engine.records import (
    Cause,
    Deleted,
    Dropped,
    Held,
    Matched,
    Merged,
    Origin,
    Transition,
)
from hairspring.log.port import Appended
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.services.rule_evaluator.gathered import Rang, Told
from hairspring.services.rule_evaluator.work import EventRecord, key_of
from hairspring.store.port import Key
from hairspring.wire.times import iso, to_ms
from hairspring.wire.traces import trace_of_event, trace_of_moment

MOST_EVIDENCE = 5


class Detail(Enum):
    """Of what there are lines."""

    NOTHING = "nothing"
    CHANGES = "changes"  #: Each transition, each rise that waits, each alarm that rang.
    EVENTS = "events"  #: These, and each event: whether it changed anything, and what is next.


class Lines:
    """Writes what came of a turn, once it is committed."""

    def __init__(self, detail: Detail = Detail.CHANGES) -> None:
        self._detail = detail
        self._log = get_logger()

    def of_turn(
        self,
        fold: Fold,
        appended: Sequence[Appended],
        records: Sequence[EventRecord],
        now: int,
    ) -> None:
        """Writes the lines of a turn: what was told where, and which events were judged.

        `now` is in milliseconds, UTC.
        """
        if self._detail is Detail.NOTHING:
            return
        for told, place in zip(fold.told, appended, strict=True):
            self._write(told, place.position, now)
        for rang in fold.rang:
            self._rang(rang, now)
        if self._detail is Detail.EVENTS:
            self._events(fold, records, now)

    def _write(self, told: Told, position: int, now: int) -> None:
        key, record = told.key, told.record
        whose = {"workspace": key.workspace, "profile": key.profile}
        match record:
            case Transition(origin=Origin.DELETION):
                pass  # Who is forgotten is not named any more.
            case Deleted():
                self._log.info(
                    "profile_deleted",
                    workspace=key.workspace,
                    deletion_id=record.deletion_id,
                    position=position,
                )
            case Transition():
                self._log.info(
                    f"segment_{record.change.value}",
                    **whose,
                    segment=record.segment,
                    position=position,
                    effective_at=iso(record.effective_at),
                    decided_at=iso(now),
                    late_by_ms=now - record.effective_at,
                    origin=record.origin.value,
                    **_cause(key, record.cause, record.effective_at),
                    evidence=_positions(record),
                )
            case Held():
                until = iso(record.until) if record.until is not None else None
                self._log.info(
                    "rise_held", **whose, segment=record.segment, reason=record.reason, until=until
                )
            case Dropped():
                self._log.info(
                    "rise_dropped", **whose, segment=record.segment, reason=record.reason
                )
            case Matched():
                trace = trace_of_event(key.workspace, record.event.message_id)
                name = record.event.name
                self._log.info("event_matched", **whose, event_name=name, trace_id=trace)
            case Merged():
                self._log.info("profile_merged", **whose, former=record.former, at=iso(record.at))
            case _:
                assert_never(record)

    def _rang(self, rang: Rang, now: int) -> None:
        due_at, (_, workspace, profile) = rang.due_at, rang.key
        self._log.info(
            "alarm_rang",
            workspace=workspace,
            profile=profile,
            due_at=None if due_at is None else iso(due_at),
            late_by_ms=None if due_at is None else now - due_at,
            changes=rang.changes,
            next_at=None if rang.next_at is None else iso(rang.next_at),
            trace_id=None if due_at is None else trace_of_moment(workspace, profile, due_at),
        )

    def _events(self, fold: Fold, records: Sequence[EventRecord], now: int) -> None:
        changes = Counter(
            cause.event.order
            for told in fold.told
            if isinstance(told.record, Transition)
            and (cause := told.record.cause).event is not None
        )
        for record in records:
            if record.WhichOneof("body") != "event":
                continue
            key = key_of(record)
            event, stored = record.event, fold.stored.get(key)
            due_at = None if stored is None else stored.due_at
            self._log.info(
                "event_evaluated",
                workspace=key.workspace,
                profile=key.profile,
                event_name=event.name,
                message_id=event.message_id,
                position=record.position,
                occurred_at=iso(to_ms(event.occur_time)),
                late_by_ms=now - to_ms(record.accept_time),
                too_old=event.too_old,
                import_id=event.import_id,
                changes=changes[record.position],
                next_at=None if due_at is None else iso(due_at),
                trace_id=trace_of_event(key.workspace, event.message_id),
            )


def _positions(transition: Transition) -> list[int]:
    """Where the latest events stand that made it so."""
    found = {order for part in transition.evidence for _, order in part.events}
    return sorted(found)[-MOST_EVIDENCE:]


def _cause(key: Key, cause: Cause, at: int) -> dict[str, object]:
    if cause.event is None:
        return {"cause": "time", "trace_id": trace_of_moment(key.workspace, key.profile, at)}
    event = cause.event
    return {
        "cause": "event",
        "event_name": event.name,
        "message_id": event.message_id,
        "event_position": event.order,
        "late": cause.late,
        "trace_id": trace_of_event(key.workspace, event.message_id),
    }
