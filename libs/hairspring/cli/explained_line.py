"""An explanation as a JSON line: everything that the service told, exactly."""

from __future__ import annotations

from typing import Any

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.membership.v1 import membership_pb2 as pb
from hairspring.contracts.membership.v1 import membership_service_pb2 as service_pb
from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.wire.times import iso, to_ms
from hairspring.wire.transitions import transition_json


def as_line(
    request: service_pb.ExplainMembershipRequest, answer: service_pb.ExplainMembershipResponse
) -> dict[str, Any]:
    """Write an explanation as a JSON line."""
    line: dict[str, Any] = {
        "profile": answer.profile_id or request.profile_id,
        "segment": request.segment,
        "member": answer.member,
        "at": _iso(answer.read_time),
    }
    if answer.HasField("enter_time"):
        line["entered_at"] = _iso(answer.enter_time)
    if answer.HasField("leave_time"):
        line["left_at"] = _iso(answer.leave_time)
    if answer.HasField("until_time"):
        line["until"] = _iso(answer.until_time)
    if answer.remark:
        line["remark"] = answer.remark
    if answer.segment_version:
        line["version"] = answer.segment_version
    if answer.notes:
        line["notes"] = list(answer.notes)
    line["conditions"] = [condition(part) for part in answer.conditions]
    line["records"] = [record_line(record) for record in answer.records]
    return line


def condition(part: pb.Explanation) -> dict[str, Any]:
    """Write a condition, with its events and the conditions within it."""
    line: dict[str, Any] = {"path": part.path, "condition": part.condition, "holds": part.holds}
    if part.HasField("until_time"):
        line["until"] = _iso(part.until_time)
    if part.detail:
        line["detail"] = part.detail
    if part.groups:
        line["groups"] = [orjson.loads(group) for group in part.groups]
    if part.events:
        line["events"] = [event(one) for one in part.events]
    if part.parts:
        line["parts"] = [condition(inner) for inner in part.parts]
    return line


def event(reference: event_pb2.EventReference) -> dict[str, Any]:
    """Write an event; one that is no longer there has only its time and position."""
    line: dict[str, Any] = {
        "event": reference.name,
        "message_id": reference.message_id,
        "time": _iso(reference.occur_time),
        "position": reference.position,
    }
    if reference.HasField("accept_time"):
        line["accepted_at"] = _iso(reference.accept_time)
    if reference.properties_json:
        line["properties"] = orjson.loads(reference.properties_json)
    return line


def record_line(record: transition_pb2.Record) -> dict[str, Any]:
    """Write a transition with its stored reasons, or a rise that waited or was used up."""
    line: dict[str, Any] = {"position": record.position, "recorded_at": _iso(record.record_time)}
    kind = record.WhichOneof("body")
    if kind == "transition":
        return {**transition_json(record), **line, "evidence": evidence(record.transition)}
    rise = record.held if kind == "held" else record.dropped
    line |= {"rise": kind, "rise_at": _iso(rise.rise_time), "reason": rise.reason}
    if kind == "held" and record.held.HasField("until_time"):
        line["until"] = _iso(record.held.until_time)
    return line


def evidence(transition: transition_pb2.Transition) -> list[dict[str, Any]]:
    """Write the reasons that a transition was stored with."""
    return [
        {
            "path": found.path,
            "holds": found.holds,
            "detail": found.detail,
            "groups": [orjson.loads(group) for group in found.groups],
            "events": [
                {"position": one.position, "time": _iso(one.occur_time)} for one in found.events
            ],
        }
        for found in transition.evidence
    ]


def _iso(timestamp: Timestamp) -> str:
    return iso(to_ms(timestamp))
