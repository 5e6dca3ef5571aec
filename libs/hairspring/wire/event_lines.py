"""Recorded events as JSON lines in the Segment spec, as they are exported and imported."""

from typing import Any

import orjson

from hairspring.contracts.event.v1 import event_pb2 as pb
from hairspring.wire.times import iso, ms_of, to_ms


def line(record: pb.EventRecord) -> dict[str, Any] | None:
    """Write one record; None for a kind of record that is no part of the history."""
    standing = {
        "position": record.position,
        "acceptedAt": iso(to_ms(record.accept_time)),
    }
    match record.WhichOneof("body"):
        case "event":
            return {**_event(record), **standing}
        case "import_finished":
            mark = record.import_finished
            return {
                "type": "import_finished",
                "importId": mark.import_id,
                "shard": record.shard,
                "withFlows": mark.with_flows,
                **standing,
            }
        case "merged":
            # Its counterpart, at the position before, tells the same of the other profile.
            return {
                "type": "merged",
                "userId": record.profile_id,
                "previousId": record.merged.from_profile_id,
                **standing,
            }
        case _:
            return None


def _event(record: pb.EventRecord) -> dict[str, Any]:
    event = record.event
    identify = event.type == pb.EVENT_TYPE_IDENTIFY
    written: dict[str, Any] = {
        "type": pb.EventType.Name(event.type).removeprefix("EVENT_TYPE_").lower(),
        "messageId": event.message_id,
        "userId": record.profile_id,
        "timestamp": iso(to_ms(event.occur_time)),
        "traits" if identify else "properties": _json(event.properties_json),
    }
    if event.anonymous_id:
        written["anonymousId"] = event.anonymous_id
    if event.name:
        written["event"] = event.name
    if event.context_json:
        written["context"] = _json(event.context_json)
    if event.HasField("original_time"):
        written["originalTimestamp"] = iso(to_ms(event.original_time))
    if event.HasField("timing"):
        written |= _timing(event.timing)
    if event.import_id:
        written["importId"] = event.import_id
    return written


def _timing(timing: pb.Timing) -> dict[str, Any]:
    """Write from what the time of an event was made, under the names of the Segment spec."""
    told = {
        "originalTimestamp": ms_of(timing, "original_time"),
        "sentAt": ms_of(timing, "send_time"),
        "receivedAt": ms_of(timing, "receive_time"),
    }
    rule = pb.TimeRule.Name(timing.rule).removeprefix("TIME_RULE_").lower()
    return {**{name: iso(at) for name, at in told.items() if at is not None}, "timeRule": rule}


def _json(content: bytes) -> Any:
    """Place JSON bytes into a line as they are."""
    return orjson.Fragment(content) if content else {}
