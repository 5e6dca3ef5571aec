"""Events: from how a sender puts them, over what the log stores, to how they are read.

The payload in the log of ingest is an EventRecord with nothing but its body. Where it stands and
when it was accepted is known only once it stands there, and is filled in when it is read.
"""

import orjson

from hairspring.contracts.event.v1 import event_pb2
from hairspring.wire.json import check_object, struct_to_bytes
from hairspring.wire.times import set_ms, to_ms

UNNAMED = {
    event_pb2.EVENT_TYPE_IDENTIFY,
    event_pb2.EVENT_TYPE_ADD_TAGS,
    event_pb2.EVENT_TYPE_REMOVE_TAGS,
}
"""The types of calls that say something of a profile, and are no events with a name."""


PROFILE_ALIASED = "Profile Aliased"
"""What a call that says that two ids are one person is recorded as."""

MERGED_AWAY_TAG, MERGED_TAG = b"\x42", b"\x4a"
"""The first bytes of a payload that says that profiles were merged: the fields 8 and 9.

The log writes these records by itself, under its lock.
"""

LONGEST_ANONYMOUS_ID = 255
"""A longer one is left out where it stands beside a known id."""


def to_payload(event: event_pb2.Event, *, message_id: str, import_id: str = "") -> bytes:
    """Translate an event to its payload in the log, under the message id it is to have.

    Its time is kept as the sender said it, cut to the millisecond; an anonymous id is kept beside
    a known one. Raises BadJson where the properties, traits or context cannot be taken.
    """
    record = event_pb2.EventRecord()
    recorded, kind = record.event, event.type
    recorded.message_id = message_id
    if kind in UNNAMED:
        recorded.type = kind
    else:
        recorded.type = event_pb2.EVENT_TYPE_TRACK
        recorded.name = event.name
    recorded.properties_json = _properties(event, kind)
    if kind == event_pb2.EVENT_TYPE_ALIAS:
        recorded.name = PROFILE_ALIASED
        recorded.properties_json = orjson.dumps({"previous_id": event.previous_id})
    if context := event.context_json:
        recorded.context_json = check_object(context, what="context")
    if import_id:
        recorded.import_id = import_id
    if event.HasField("occur_time"):
        set_ms(recorded.occur_time, to_ms(event.occur_time))
    if event.HasField("timing"):
        recorded.timing.CopyFrom(event.timing)
    anonymous = event.anonymous_id
    if anonymous and len(anonymous) <= LONGEST_ANONYMOUS_ID and event.profile_id:
        recorded.anonymous_id = anonymous
    return record.SerializeToString()


def finished_payload(import_id: str, *, with_flows: bool) -> bytes:
    """Write the payload that says that an import is complete."""
    finished = event_pb2.ImportFinished(import_id=import_id, with_flows=with_flows)
    return event_pb2.EventRecord(import_finished=finished).SerializeToString()


def deleted_payload(deletion_id: str) -> bytes:
    """Write the payload that says that a profile was deleted."""
    deleted = event_pb2.ProfileDeleted(deletion_id=deletion_id)
    return event_pb2.EventRecord(profile_deleted=deleted).SerializeToString()


def read_record(
    payload: bytes,
    *,
    position: int,
    shard: int,
    workspace: str,
    profile: str,
    accepted_at: int,
    horizon: int | None = None,
    into: event_pb2.EventRecord | None = None,
    former: str = "",
) -> event_pb2.EventRecord:
    """Read a payload where it stands in the log; its time is bounded by `accepted_at` (ms, UTC).

    A live event that lay beyond the `horizon` (milliseconds) when it was accepted is marked.
    It is read `into` an empty record, where one is given, which spares a copy. `former` is the id
    that it was accepted under, where that became part of the profile later.
    """
    record = event_pb2.EventRecord() if into is None else into
    record.MergeFromString(payload)
    record.position = position
    record.shard = shard
    record.workspace_id = workspace
    record.profile_id = profile
    if former:
        record.former_profile_id = former
    occurred_at = _bound(record, accepted_at)
    if horizon is not None and occurred_at is not None and accepted_at - occurred_at > horizon:
        event = record.event
        event.too_old = not event.import_id
    return record


def bounded(record: event_pb2.EventRecord, accepted_at: int) -> event_pb2.EventRecord:
    """Set when a record was accepted (ms, UTC), and bound the time of its event by that.

    An event without a time happened when it was accepted. What the sender said is kept as
    `original_time` where it had to be changed. Changes the record, and answers it.
    """
    _bound(record, accepted_at)
    return record


def _bound(record: event_pb2.EventRecord, accepted_at: int) -> int | None:
    """Do the same, and answer when the event happened; None where the record is of no event."""
    set_ms(record.accept_time, accepted_at)
    if not record.HasField("event"):
        return None
    event = record.event
    if not event.HasField("occur_time"):
        set_ms(event.occur_time, accepted_at)
        return accepted_at
    if (occurred_at := to_ms(event.occur_time)) <= accepted_at:
        return occurred_at
    event.original_time.CopyFrom(event.occur_time)
    set_ms(event.occur_time, accepted_at)
    return accepted_at


def _properties(event: event_pb2.Event, kind: "event_pb2.EventType.ValueType") -> bytes:
    what = "traits" if kind == event_pb2.EVENT_TYPE_IDENTIFY else "properties"
    if data := event.properties_json:
        return check_object(data, what=what)
    if event.HasField("properties"):
        return struct_to_bytes(event.properties, what=what)
    return b"{}"
