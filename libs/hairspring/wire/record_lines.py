"""Records of the evaluator's log as JSON lines, each with its kind and all that it tells."""

from typing import Any

import orjson

from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.wire.times import iso, ms_of, to_ms
from hairspring.wire.transitions import transition_json


def line(record: transition_pb2.Record) -> dict[str, Any] | None:
    """Write one record; None for a kind that tells nothing of anybody."""
    body = record.WhichOneof("body")
    standing = {
        "position": record.position,
        "recorded_at": iso(to_ms(record.record_time)),
        "plan_version": record.plan_version,
    }
    match body:
        case "transition":
            evidence = [_evidence(found) for found in record.transition.evidence]
            told = {**transition_json(record), "evidence": evidence}
        case "held":
            told = {**_rise(record.held), "until": _at(record.held, "until_time")}
        case "dropped":
            told = _rise(record.dropped)
        case "matched":
            told = {"event": _event(record.matched.event)}
        case _:
            return None
    return {"kind": body, "profile": record.profile_id, **told, **standing}


def _rise(record: transition_pb2.Held | transition_pb2.Dropped) -> dict[str, Any]:
    return {
        "segment": record.segment,
        "rise_at": _at(record, "rise_time"),
        "reason": record.reason,
    }


def _evidence(found: transition_pb2.Evidence) -> dict[str, Any]:
    return {
        "path": found.path,
        "holds": found.holds,
        "detail": found.detail,
        "events": [_event(event) for event in found.events],
        "groups": [orjson.Fragment(group.encode()) for group in found.groups],
    }


def _event(event: event_pb2.EventReference) -> dict[str, Any]:
    told = {"position": event.position, "time": _at(event, "occur_time")}
    if event.message_id:
        told |= {"message_id": event.message_id, "event": event.name}
    return told


def _at(message: Any, field: str) -> str | None:
    at = ms_of(message, field)
    return None if at is None else iso(at)
