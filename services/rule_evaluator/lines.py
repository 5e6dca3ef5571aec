"""The log lines that tell of every segment change, so that "did it fire" has an answer."""

from typing import Any, assert_never

from hairspring.engine.records import Cause, Dropped, Held, Matched, Transition
from hairspring.services.rule_evaluator.folding import Told
from hairspring.wire.times import iso


def write(log: Any, told: Told, now: int) -> None:
    """Writes one line for a record that was committed; `now` in milliseconds, UTC."""
    record = told.record
    whose = {"workspace": told.key.workspace, "profile": told.key.profile}
    match record:
        case Transition():
            log.info(
                f"segment_{record.change.value}",
                **whose,
                segment=record.segment,
                effective_at=iso(record.effective_at),
                late_by_ms=now - record.effective_at,
                origin=record.origin.value,
                **_cause(record.cause),
            )
        case Held():
            until = iso(record.until) if record.until is not None else None
            log.info(
                "rise_held", **whose, segment=record.segment, reason=record.reason, until=until
            )
        case Dropped():
            log.info("rise_dropped", **whose, segment=record.segment, reason=record.reason)
        case Matched():
            log.info("event_matched", **whose, event_name=record.event.name)
        case _:
            assert_never(record)


def _cause(cause: Cause) -> dict[str, object]:
    if cause.event is None:
        return {"cause": "time"}
    event = cause.event
    return {
        "cause": "event",
        "event_name": event.name,
        "message_id": event.message_id,
        "position": event.order,
        "late": cause.late,
    }
