"""Judges one event at the door: sound and ready for the log, or refused with the reason. Pure."""

from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from hairspring.contracts.event.v1 import event_pb2
from hairspring.log.links import Link
from hairspring.log.port import Entry
from hairspring.log.shards import shard_of
from hairspring.runtime.errors import InvalidInput
from hairspring.services.ingest import told
from hairspring.store.port import FILL
from hairspring.wire import events
from hairspring.wire.json import BadJson

MAX_NAME = 255
"""The most characters of an id or a name."""

NOBODY = frozenset({"null", "(null)", "none", "undefined", "nan", "0", "guest", "[object object]"})
"""What senders write for a person they do not know: as an id it would be many people in one."""

_LONGEST_NOBODY = max(map(len, NOBODY))
_TYPES = frozenset(event_pb2.EventType.values())


class Sound(NamedTuple):
    """An event that can be appended, and the id it is known by."""

    message_id: str
    entry: Entry


class Refused(NamedTuple):
    """An event that can never be accepted as it is, and why."""

    message_id: str
    problem: str


class Whose(NamedTuple):
    """Whose a call is, by the ids in it: the one function that says so is `whose`.

    `anonymous` says that no known person is named. `other` is an id that is the same person's from
    here on, empty for none; where that is not `asked` for in so many words, no two known persons
    become one by it.
    """

    profile: str
    anonymous: bool = False
    other: str = ""
    asked: bool = False


def whose(event: event_pb2.Event) -> Whose:
    """Find whose a call is. Raises InvalidInput for ids that cannot be, or stand for nobody.

    The known id counts, else the anonymous one. An identify with both links them; an alias links
    the previous id, whoever that is. Any other call links nothing, though it may name both.
    """
    known, anonymous, kind = event.profile_id, event.anonymous_id, event.type
    if kind == event_pb2.EVENT_TYPE_ALIAS:
        check_id("profile_id", known)
        check_id("previous_id", event.previous_id)
        return Whose(profile=known, other=event.previous_id, asked=True)
    if not known and not anonymous:
        raise InvalidInput("neither profile_id nor anonymous_id is set", field="profile_id")
    check_id("profile_id" if known else "anonymous_id", known or anonymous)
    if not known:
        return Whose(profile=anonymous, anonymous=True)
    links = kind == event_pb2.EVENT_TYPE_IDENTIFY and bool(anonymous)
    if not links or len(anonymous) > MAX_NAME:  # a longer one is left out of the record as well
        return Whose(profile=known)
    check_id("anonymous_id", anonymous)
    return Whose(profile=known, other=anonymous)


def judge(
    event: event_pb2.Event, *, workspace: str, shards: int, new_id: Callable[[], str]
) -> Sound | Refused:
    """Judge a live event; one without a message id gets a new one."""
    try:
        found = _checked(event)
        message_id = event.message_id or new_id()
        payload = events.to_payload(event, message_id=message_id)
        told.check(event.type, payload)
    except (InvalidInput, BadJson) as error:
        return Refused(message_id=event.message_id, problem=str(error))
    return _sound(workspace, found, message_id, payload, shards)


def judge_imported(
    event: event_pb2.Event, *, workspace: str, shards: int, import_id: str
) -> Sound | Refused:
    """Judge an event of an import; one without a message id is known by its content.

    An import links nobody: what is known by two ids in it is imported under one.
    """
    try:
        found = _checked(event)
        if event.type == event_pb2.EVENT_TYPE_ALIAS:
            raise InvalidInput(
                "an alias cannot be imported: call AliasProfile, and import under either id",
                field="type",
            )
        found = found._replace(other="")
        message_id = event.message_id or _id_of_content(event, found.profile)
        payload = events.to_payload(event, message_id=message_id, import_id=import_id)
        told.check(event.type, payload)
    except (InvalidInput, BadJson) as error:
        return Refused(message_id=event.message_id, problem=str(error))
    return _sound(workspace, found, message_id, payload, shards)


def check_id(field: str, value: str) -> None:
    """Check an id. Raises InvalidInput where it is empty, too long, or names nobody."""
    named = value.strip()
    if not named:
        raise InvalidInput(f"{field} is empty", field=field)
    check_text(field, value)
    if len(named) <= _LONGEST_NOBODY and named.lower() in NOBODY:
        raise InvalidInput(f"{field} {value!r} is not an id: it stands for nobody", field=field)


def check_import_id(value: str) -> None:
    """Check the id of an import. Raises InvalidInput, also for what evaluators call fillings."""
    check_id("import_id", value)
    if value == FILL:
        raise InvalidInput(f"import_id {value!r} is taken; choose another", field="import_id")


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


def _checked(event: event_pb2.Event) -> Whose:
    """Check what an event says of itself, and answer whose it is."""
    found = whose(event)
    if message_id := event.message_id:
        check_id("message_id", message_id)
    kind = event.type
    if kind not in _TYPES:
        raise InvalidInput(f"type {kind} is not known", field="type")
    if kind not in events.UNNAMED and kind != event_pb2.EVENT_TYPE_ALIAS:
        name = event.name
        if not name.strip():
            raise InvalidInput("name is empty: say what happened", field="name")
        check_text("name", name)
    return found


def _sound(workspace: str, found: Whose, message_id: str, payload: bytes, shards: int) -> Sound:
    link = None
    if other := found.other:
        link = Link(id=other, shard=shard_of(workspace, other, shards), asked=found.asked)
    entry = Entry(
        shard=shard_of(workspace, found.profile, shards),
        workspace=workspace,
        profile=found.profile,
        payload=payload,
        repeat_key=repeat_key(workspace, message_id),
        anonymous=found.anonymous,
        link=link,
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
