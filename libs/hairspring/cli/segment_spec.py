"""Reads one line in the shape of the Segment spec; pure.

A line goes in; an event comes out, or the reason why it is none. Nothing that a line can hold
raises an error here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from hairspring.cli import times
from hairspring.wire.times import iso

Json = dict[str, Any]

_VIEWS = {"page": "Page Viewed", "screen": "Screen Viewed"}
#: Calls that are no events with a name. The spec knows no tags; an exported log has them so.
_TYPES: dict[str, Literal["identify", "add_tags", "remove_tags"]] = {
    "identify": "identify",
    "add_tags": "add_tags",
    "remove_tags": "remove_tags",
}
_NOT_TAKEN = {
    "group": "a group call is not taken: it concerns an account, not one profile",
    "alias": "an alias call is not taken: import each profile under the id it has now",
}
_LONGEST_ID = 255
_LONGEST_TEXT_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event, or a call about traits or tags, that was read; times in milliseconds, UTC."""

    type: Literal["track", "identify", "add_tags", "remove_tags"]
    profile: str
    name: str
    time: int
    #: The sender's, else one made from the content.
    message_id: str
    #: The properties, or the traits of an identify.
    properties: Json = field(default_factory=dict)
    context: Json = field(default_factory=dict)
    #: Only in an exported log: when the log accepted it, and where it stands there.
    accepted_at: int | None = None
    position: int | None = None
    import_id: str = ""
    #: What the sender said, where the time was bounded by the log.
    original_time: int | None = None
    #: Nobody known was named: the profile is an anonymous id.
    anonymous: bool = False
    #: What the person who imports should know of it, such as a time that had to be bounded.
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFinished:
    """The end of an import, as an exported log tells it."""

    import_id: str
    shard: int
    position: int
    accepted_at: int
    with_flows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """That a profile became part of another, as an exported log tells it."""

    profile: str
    other: str
    position: int
    accepted_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Why a line is no event."""

    problem: str


class _Refused(Exception):
    """Carries the reason from where it is found to the one place that answers it."""


def read(line: bytes | str) -> Event | ImportFinished | Merged | Unreadable:
    """Read one line."""
    try:
        return _document(_loaded(line))
    except _Refused as refused:
        return Unreadable(problem=str(refused))


def _loaded(line: bytes | str) -> object:
    """Read JSON; text that is damaged (bad UTF-8, lone surrogates) is mended as at the door."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        problem = str(error)
    try:
        text = line if isinstance(line, str) else line.decode("utf-8", "replace")
        text = json.dumps(json.loads(text, parse_constant=_refuse), ensure_ascii=False)
        return orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError):
        raise _Refused(f"not JSON: {problem}") from None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _document(document: object) -> Event | ImportFinished | Merged:
    if not isinstance(document, dict):
        raise _Refused(f"not an object but {_named(document)}")
    kind = _kind(document.get("type"))
    if kind == "import_finished":
        return _import_finished(document)
    if kind == "merged":
        return _merged(document)
    time, remark = _time(document)
    properties, name = _content(kind, document)
    profile, context = _profile(document), _object(document, "context")
    content = (profile, _TYPES.get(kind, "track"), name, time, properties, context)
    return Event(
        type=_TYPES.get(kind, "track"),
        profile=profile,
        name=name,
        time=time,
        message_id=_id(document, "messageId") or _id_of_content(content),
        properties=properties,
        context=context,
        accepted_at=_moment(document, "acceptedAt"),
        position=_whole(document, "position"),
        import_id=_id(document, "importId"),
        original_time=_original(document, time),
        anonymous=not _id(document, "userId"),
        remark=remark,
    )


def _id_of_content(content: tuple[object, ...]) -> str:
    """Name an event that its sender did not, so that the same line twice is one event."""
    written = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return f"content-{hashlib.blake2b(written, digest_size=16).hexdigest()}"


def _kind(value: object) -> str:
    if value is None or value == "":
        raise _Refused('"type" is missing; it must be track, identify, page or screen')
    kind = value.lower() if isinstance(value, str) else ""
    if kind in _NOT_TAKEN:
        raise _Refused(_NOT_TAKEN[kind])
    if kind not in ("track", "import_finished", "merged", *_TYPES, *_VIEWS):
        raise _Refused(f'"type" must be track, identify, page or screen, not {_shown(value)}')
    return kind


def _content(kind: str, document: Json) -> tuple[Json, str]:
    """Find the properties (or traits) and the name of the event."""
    if kind == "identify":
        return _traits(document), ""
    properties = _object(document, "properties")
    if kind in _TYPES:
        return properties, ""
    if kind in _VIEWS:
        name = document.get("name")
        if isinstance(name, str) and name and "name" not in properties:
            properties = {**properties, "name": name}
        return properties, _VIEWS[kind]
    name = document.get("event")
    if name is None or name == "":
        raise _Refused('"event" is missing: the name of what happened')
    if not isinstance(name, str):
        raise _Refused(f'"event" must be a text, not {_named(name)}')
    if not name.strip():
        raise _Refused('"event" is blank')
    if len(name) > _LONGEST_ID:
        raise _Refused(f'"event" is longer than {_LONGEST_ID} characters')
    return properties, name


def _traits(document: Json) -> Json:
    """Find the traits: those of the call, over those that some senders put into the context."""
    return {**_object(_object(document, "context"), "traits"), **_object(document, "traits")}


def _profile(document: Json) -> str:
    profile = _id(document, "userId") or _id(document, "anonymousId")
    if not profile:
        raise _Refused('neither "userId" nor "anonymousId" says whose event it is')
    return profile


def _id(document: Json, key: str) -> str:
    value = document.get(key)
    if value is None or value == "":
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise _Refused(f'"{key}" must be a text, not {_named(value)}')
    if len(value) > _LONGEST_ID:
        raise _Refused(f'"{key}" is longer than {_LONGEST_ID} characters')
    return value if value.strip() else ""


def _object(document: Json, key: str) -> Json:
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Refused(f'"{key}" must be an object, not {_named(value)}')
    return value


def _time(document: Json) -> tuple[int, str]:
    """Find when it happened, and what is to be said about it."""
    for key in ("timestamp", "originalTimestamp"):
        value = document.get(key)
        if value is None or value == "":
            continue
        moment = times.parse(value)
        if moment is None:
            raise _Refused(f'"{key}" is not an ISO 8601 time: {_shown(value)}')
        if moment.bounded:
            return moment.at, f'"{key}" {_shown(value)} taken as {iso(moment.at)}'
        return moment.at, ""
    raise _Refused('neither "timestamp" nor "originalTimestamp" says when it happened')


def _moment(document: Json, key: str) -> int | None:
    value = document.get(key)
    moment = None if value is None else times.parse(value)
    if value is not None and moment is None:
        raise _Refused(f'"{key}" is not an ISO 8601 time: {_shown(value)}')
    return moment.at if moment else None


def _original(document: Json, time: int) -> int | None:
    """Find what the sender had said, in a line that the log wrote."""
    if document.get("acceptedAt") is None:
        return None
    original = _moment(document, "originalTimestamp")
    return None if original == time else original


def _whole(document: Json, key: str) -> int | None:
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise _Refused(f'"{key}" must be a whole number, not {_shown(value)}')
    return value


def _import_finished(document: Json) -> ImportFinished:
    import_id, accepted_at = _id(document, "importId"), _moment(document, "acceptedAt")
    shard, position = _whole(document, "shard"), _whole(document, "position")
    if not import_id or accepted_at is None or shard is None or position is None:
        raise _Refused('an import_finished needs "importId", "shard", "position" and "acceptedAt"')
    return ImportFinished(
        import_id=import_id,
        shard=shard,
        position=position,
        accepted_at=accepted_at,
        with_flows=document.get("withFlows") is True,
    )


def _merged(document: Json) -> Merged:
    profile, other = _id(document, "userId"), _id(document, "previousId")
    accepted_at, position = _moment(document, "acceptedAt"), _whole(document, "position")
    if not profile or not other or accepted_at is None or position is None:
        raise _Refused('a merged needs "userId", "previousId", "position" and "acceptedAt"')
    return Merged(profile=profile, other=other, position=position, accepted_at=accepted_at)


def _named(value: object) -> str:
    """Name the kind of a JSON value."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"


def _shown(value: object) -> str:
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= _LONGEST_TEXT_SHOWN else text[: _LONGEST_TEXT_SHOWN - 3] + "..."
