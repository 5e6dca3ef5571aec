"""Records of the engine to the contract, and transitions as the JSON lines that people read."""

from typing import Any, assert_never

import orjson

from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.engine.events import Event
from hairspring.engine.records import (
    Cause,
    Change,
    Deleted,
    Dropped,
    Held,
    Matched,
    Merged,
    Origin,
    Record,
    Transition,
)
from hairspring.wire.times import from_ms, iso, ms_of, set_ms, to_ms
from hairspring.wire.traces import trace_of_event, trace_of_moment

_CHANGES = {
    Change.ENTERED: transition_pb2.CHANGE_ENTERED,
    Change.LEFT: transition_pb2.CHANGE_LEFT,
}
_CHANGE_NAMES = {number: change.value for change, number in _CHANGES.items()}
_ORIGINS = {
    Origin.LIVE: transition_pb2.ORIGIN_LIVE,
    Origin.IMPORT: transition_pb2.ORIGIN_IMPORT,
    Origin.DEFINITION: transition_pb2.ORIGIN_DEFINITION,
    Origin.MERGE: transition_pb2.ORIGIN_MERGE,
    Origin.REPAIR: transition_pb2.ORIGIN_REPAIR,
    Origin.DELETION: transition_pb2.ORIGIN_DELETION,
}
ORIGIN_NAMES = {number: origin.value for origin, number in _ORIGINS.items()}


def to_contract(
    record: Record, *, plan_version: int, with_flows: bool = False
) -> transition_pb2.Record:
    """Translate a record. Where it stands and whose it is are set where that is known.

    `with_flows` lets a transition that is not live set off flows.
    """
    out = transition_pb2.Record(plan_version=plan_version)
    match record:
        case Transition():
            _set_transition(out.transition, record, with_flows)
        case Held():
            out.held.segment, out.held.reason = record.segment, record.reason
            set_ms(out.held.rise_time, record.rise_at)
            if record.until is not None:
                set_ms(out.held.until_time, record.until)
        case Dropped():
            out.dropped.segment, out.dropped.reason = record.segment, record.reason
            set_ms(out.dropped.rise_time, record.rise_at)
        case Matched():
            out.matched.event.CopyFrom(_reference(record.event))
        case Deleted():
            out.profile_deleted.deletion_id = record.deletion_id
            set_ms(out.profile_deleted.delete_time, record.at)
        case Merged():
            out.merged.former_profile_id = record.former
            set_ms(out.merged.merge_time, record.at)
            for segment, entered_at in record.entered:
                changed = out.merged.memberships.add(segment=segment)
                set_ms(changed.enter_time, entered_at)
        case _:
            assert_never(record)
    return out


def _set_transition(
    out: transition_pb2.Transition, transition: Transition, with_flows: bool
) -> None:
    out.segment = transition.segment
    out.segment_version = transition.version
    out.change = _CHANGES[transition.change]
    set_ms(out.effective_time, transition.effective_at)
    _set_cause(out.cause, transition.cause, transition.effective_at)
    out.origin = _ORIGINS[transition.origin]
    out.sets_off_flows = with_flows or sets_off_flows(transition)
    out.merged_profile_id = transition.merged_with
    out.groups.extend(transition.groups)
    if transition.entered_at is not None:
        set_ms(out.enter_time, transition.entered_at)
    for found in transition.evidence:
        out.evidence.add(
            path=found.path,
            holds=found.holds,
            events=[
                event_pb2.EventReference(position=order, occur_time=from_ms(time))
                for time, order in found.events
            ],
            detail=found.detail,
            groups=found.groups,
        )


def sets_off_flows(transition: Transition) -> bool:
    """Tells whether a transition sets off flows unless asked not to: a live one, and an entry that
    a merge brought where neither profile was in.
    """
    return transition.origin is Origin.LIVE or (
        transition.origin is Origin.MERGE
        and transition.change is Change.ENTERED
        and not transition.merged_with
    )


def _set_cause(out: transition_pb2.Cause, cause: Cause, effective_at: int) -> None:
    if cause.event is None:
        set_ms(out.time, effective_at)
    else:
        out.event.CopyFrom(_reference(cause.event))
        out.late = cause.late


def _reference(event: Event) -> event_pb2.EventReference:
    return event_pb2.EventReference(
        position=event.order,
        message_id=event.message_id,
        name=event.name,
        occur_time=from_ms(event.time),
    )


def read_record(
    payload: bytes, *, position: int, shard: int, workspace: str, profile: str, accepted_at: int
) -> transition_pb2.Record:
    """Read a payload where it stands in the evaluator's log; `accepted_at` in ms, UTC."""
    record = transition_pb2.Record.FromString(payload)
    record.position = position
    record.shard = shard
    record.workspace_id = workspace
    record.profile_id = profile
    set_ms(record.record_time, accepted_at)
    record.trace_id = _trace_of(record)
    return record


def _trace_of(record: transition_pb2.Record) -> str:
    workspace, body = record.workspace_id, record.WhichOneof("body")
    if body == "transition":
        transition = record.transition
        if transition.cause.WhichOneof("kind") == "event":
            return trace_of_event(workspace, transition.cause.event.message_id)
        at = to_ms(transition.effective_time)
        return trace_of_moment(workspace, record.profile_id, at)
    if body == "matched":
        return trace_of_event(workspace, record.matched.event.message_id)
    return ""


def transition_json(record: transition_pb2.Record) -> dict[str, Any]:
    """A record with a transition as people read it: the same live and simulated."""
    transition = record.transition
    line: dict[str, Any] = {
        "profile": record.profile_id,
        "segment": transition.segment,
        "change": _CHANGE_NAMES.get(transition.change, "unknown"),
        "effective_at": iso(to_ms(transition.effective_time)),
        "cause": _cause_json(transition.cause),
    }
    if transition.groups:
        line["groups"] = [orjson.loads(group) for group in transition.groups]
    if transition.origin != transition_pb2.ORIGIN_LIVE:
        line["origin"] = ORIGIN_NAMES.get(transition.origin, "unknown")
    if transition.merged_profile_id:
        line["merged_with"] = transition.merged_profile_id
    return line


def _cause_json(cause: transition_pb2.Cause) -> dict[str, Any]:
    if cause.WhichOneof("kind") != "event":
        at = ms_of(cause, "time")
        return {"time": iso(at) if at is not None else None}
    event = cause.event
    line: dict[str, Any] = {
        "event": event.name or "identify",
        "message_id": event.message_id,
        "time": iso(to_ms(event.occur_time)),
    }
    if cause.late:
        line["late"] = True
    return line
