"""Judges one event at the door: sound and ready for the log, or refused with the reason. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from hairspring.contracts.event.v1 import event_pb2
from hairspring.log.port import Entry
from hairspring.log.shards import shard_of
from hairspring.runtime.errors import InvalidInput
from hairspring.services.ingest import told
from hairspring.wire import events
from hairspring.wire.json import BadJson

MAX_NAME = 255
"""The most characters of an id or a name."""

NOBODY = frozenset({"null", "(null)", "none", "undefined", "nan", "0", "guest", "[object object]"})
"""What senders write for a person they do not know: as an id it would be many people in one."""

_TYPES = frozenset(event_pb2.EventType.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """An event that can be appended, and the id it is known by."""

    message_id: str
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An event that can never be accepted as it is, and why."""

    message_id: str
    problem: str


def judge(
    event: event_pb2.Event, *, workspace: str, shards: int, new_id: Callable[[], str]
) -> Sound | Refused:
    """Judge a live event; one without a message id gets a new one."""
    try:
        profile = _checked(event)
        message_id = event.message_id or new_id()
        payload = events.to_payload(event, message_id=message_id)
        told.check(event.type, payload)
    except (InvalidInput, BadJson) as error:
        return Refused(message_id=event.message_id, problem=str(error))
    return _sound(workspace, profile, message_id, payload, shards)


def judge_imported(
    event: event_pb2.Event, *, workspace: str, shards: int, import_id: str
) -> Sound | Refused:
    """Judge an event of an import; one without a message id is known by its content."""
    try:
        profile = _checked(event)
        message_id = event.message_id or _id_of_content(event, profile)
        payload = events.to_payload(event, message_id=message_id, import_id=import_id)
        told.check(event.type, payload)
    except (InvalidInput, BadJson) as error:
        return Refused(message_id=event.message_id, problem=str(error))
    return _sound(workspace, profile, message_id, payload, shards)


def check_id(field: str, value: str) -> None:
    """Check an id. Raises InvalidInput where it is empty, too long, or names nobody."""
    if not value.strip():
        raise InvalidInput(f"{field} is empty", field=field)
    check_text(field, value)
    if value.strip().lower() in NOBODY:
        raise InvalidInput(f"{field} {value!r} is not an id: it stands for nobody", field=field)


def check_text(field: str, value: str) -> None:
    """Check a text that becomes a column. Raises InvalidInput where it is too long or has a NUL."""
    if len(value) > MAX_NAME:
        raise InvalidInput(
            f"{field} has {len(value)} characters; at most {MAX_NAME} are taken", field=field
        )
    if "\0" in value:
        raise InvalidInput(f"{field} holds the character U+0000", field=field)


def repeat_key(workspace: str, message_id: str) -> bytes:
    """Answer the 16 bytes that repeats of an event are known by."""
    return _digest(workspace.encode(), message_id.encode())


def _checked(event: event_pb2.Event) -> str:
    """Check what an event says of itself, and answer the profile it belongs to."""
    field = "profile_id" if event.profile_id else "anonymous_id"
    profile = event.profile_id or event.anonymous_id
    if not profile:
        raise InvalidInput("neither profile_id nor anonymous_id is set", field="profile_id")
    check_id(field, profile)
    if event.message_id:
        check_id("message_id", event.message_id)
    if event.type not in _TYPES:
        raise InvalidInput(f"type {event.type} is not known", field="type")
    if event.type not in events.UNNAMED:
        if not event.name.strip():
            raise InvalidInput("name is empty: say what happened", field="name")
        check_text("name", event.name)
    return profile


def _sound(workspace: str, profile: str, message_id: str, payload: bytes, shards: int) -> Sound:
    entry = Entry(
        shard=shard_of(workspace, profile, shards),
        workspace=workspace,
        profile=profile,
        payload=payload,
        repeat_key=repeat_key(workspace, message_id),
    )
    return Sound(message_id=message_id, entry=entry)


def _id_of_content(event: event_pb2.Event, profile: str) -> str:
    """Derive an id from the profile, type, name, time and properties of an event.

    The payload without ids is taken as the content: it has a Struct's keys in order.
    """
    content = events.to_payload(event, message_id="")
    return "content-" + _digest(profile.encode(), content).hex()


def _digest(*parts: bytes) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()
