"""Recorded events of the contract to the events of the engine."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from hairspring.contracts.event.v1 import event_pb2
from hairspring.engine.events import NOTHING, Event, EventKind
from hairspring.engine.simulate import Entry, Finished, Imported, Joined
from hairspring.wire.times import to_ms

_KINDS = {
    event_pb2.EVENT_TYPE_IDENTIFY: EventKind.IDENTIFY,
    event_pb2.EVENT_TYPE_ADD_TAGS: EventKind.ADD_TAGS,
    event_pb2.EVENT_TYPE_REMOVE_TAGS: EventKind.REMOVE_TAGS,
}


def to_engine(record: event_pb2.EventRecord) -> Event:
    """Translate a record whose body is an event. Its order is its position in the log."""
    event = record.event
    return Event(
        name=event.name,
        time=to_ms(event.occur_time),
        order=record.position,
        accepted_at=to_ms(record.accept_time),
        message_id=event.message_id,
        kind=_KINDS.get(event.type, EventKind.TRACK),
        properties=read_object(event.properties_json),
        context=read_object(event.context_json),
    )


def to_entries(records: Iterable[event_pb2.EventRecord]) -> list[Entry]:
    """Translate the history of one profile, in log order, as ListEvents answers it.

    What became part of it stands within the entry that tells of it, and counts from there on.
    """
    own: list[Entry] = []
    others: dict[str, list[Entry]] = {}
    finished: list[Entry] = []
    for record in records:
        owner = own
        if former := record.former_profile_id:
            owner = others.setdefault(former, list(finished))
        match record.WhichOneof("body"):
            case "event":
                owner.append(to_entry(record))
            case "import_finished":
                # It stands in the log once for each shard; more than one makes no difference.
                finished.append(to_entry(record))
                for known in (own, *others.values()):
                    known.append(finished[-1])
            case "profile_deleted":
                own[:], others = list(finished), {}  # What was before is being erased.
            case "merged":
                other = record.merged.from_profile_id
                entries = tuple(others.pop(other, ()))
                owner.append(Joined(other, to_ms(record.accept_time), entries))
    return own


def to_entry(record: event_pb2.EventRecord) -> Event | Imported | Finished:
    """Translate a record of an event or of the end of an import."""
    if record.WhichOneof("body") == "import_finished":
        return Finished(record.import_finished.import_id, to_ms(record.accept_time))
    event = to_engine(record)
    return Imported(event, record.event.import_id) if record.event.import_id else event


def read_object(text: bytes) -> Mapping[str, Any]:
    """Read a JSON object; what is none (it was checked at the door) reads as empty."""
    if text in (b"", b"{}"):
        return NOTHING
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return NOTHING
    return value if isinstance(value, dict) else NOTHING
