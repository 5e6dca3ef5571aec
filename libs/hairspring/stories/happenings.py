"""Happenings: the events of a story, each with its time and its profile."""

from collections.abc import Mapping
from typing import NamedTuple

from hairspring.definitions.fields import Field, described
from hairspring.definitions.problems import listed, quoted
from hairspring.definitions.yaml_nodes import Items, Scalar, ScalarKind
from hairspring.engine.events import NOTHING, Event, EventKind
from hairspring.stories import times, values

LONGEST_TEXT = 255


class _Kind(NamedTuple):
    """How a kind of event is written: under which key, and whether properties go with it."""

    kind: EventKind
    with_properties: bool = False


_KINDS = {
    "event": _Kind(EventKind.TRACK, with_properties=True),
    "traits": _Kind(EventKind.IDENTIFY),
    "add_tags": _Kind(EventKind.ADD_TAGS),
    "remove_tags": _Kind(EventKind.REMOVE_TAGS),
}
_PROPERTIES = ("properties", "context")
_KEYS = ("at", "profile", *_KINDS, *_PROPERTIES, "accepted", "message_id")


def read(field: Field, profile: str | None, starts: int) -> list[tuple[str, Event]]:
    """The events with their profiles, in the order of acceptance, repeats left out."""
    found: list[tuple[str, Event]] = []
    seen: set[str] = set()
    for order, item in enumerate(field.items("`events`"), 1):
        one = _event(item, order, profile, starts)
        if one is not None and one[1].message_id not in seen:
            seen.add(one[1].message_id)
            found.append(one)
    return sorted(found, key=lambda pair: (pair[1].accepted_at, pair[1].order))


def _event(field: Field, order: int, profile: str | None, starts: int) -> tuple[str, Event] | None:
    entries = field.entries("an event", _KEYS, required=("at",))
    if not entries:
        return None
    who = whose(field, entries, profile)
    at = time(entries["at"], starts) if "at" in entries else None
    accepted_at = time(entries["accepted"], starts) if "accepted" in entries else at
    chosen = [key for key in _KINDS if key in entries]
    if len(chosen) != 1:
        field.refuse(f"an event has one of {listed([f'`{key}`' for key in _KINDS])}")
        return None
    [key] = chosen
    kind = _KINDS[key]
    for other in _PROPERTIES:
        if other in entries and not kind.with_properties:
            entries[other].refuse(f"`{other}` goes with `event`, not with `{key}`")
    name, properties = _content(key, entries)
    context = values.mapping(entries["context"], "`context`") if "context" in entries else NOTHING
    message_id = f"line-{order}"
    if "message_id" in entries:
        message_id = entries["message_id"].text("`message_id`", longest=LONGEST_TEXT) or ""
    if who is None or at is None or accepted_at is None or name is None:
        return None
    event = Event(
        name=name,
        time=min(at, accepted_at),
        order=order,
        accepted_at=accepted_at,
        message_id=message_id,
        kind=kind.kind,
        properties=properties,
        context=context,
    )
    return who, event


def _content(key: str, entries: Mapping[str, Field]) -> tuple[str | None, Mapping[str, object]]:
    """The name and the properties, or the traits."""
    if key == "traits":
        return "", values.mapping(entries["traits"], "`traits`")
    if key != "event":
        return "", {"tags": _tags(entries[key], f"`{key}`")}
    name = entries["event"].text("the name of an event", longest=LONGEST_TEXT)
    if "properties" in entries:
        return name, values.mapping(entries["properties"], "`properties`")
    return name, NOTHING


def _tags(field: Field, what: str) -> list[str]:
    fields = field.items(what) if isinstance(field.node, Items) else [field]
    found = (one.text("a tag", longest=LONGEST_TEXT) for one in fields)
    return [tag for tag in found if tag is not None]


def whose(field: Field, entries: Mapping[str, Field], usual: str | None) -> str | None:
    """The profile that a line is about."""
    if "profile" in entries:
        return profile(entries["profile"])
    if usual is None:
        field.refuse("`profile` is missing: here, or once for the whole story")
    return usual


def profile(field: Field) -> str | None:
    """The id of a profile; one that looks like a number is taken as it is written."""
    node = field.node
    if isinstance(node, Scalar) and node.kind is ScalarKind.INT and node.value.isdecimal():
        return node.value
    return field.text("`profile`", longest=LONGEST_TEXT)


def time(field: Field, starts: int) -> int | None:
    """A time, in milliseconds, UTC; without a date it is on a day counted from `starts`."""
    node = field.node
    if not isinstance(node, Scalar) or node.kind is ScalarKind.NULL:
        field.refuse(f"{times.FORM}, not {described(node)}")
        return None
    found = times.read(node.value, starts)
    if found is None:
        field.refuse(f"{quoted(node.value)} is no time; {times.FORM}")
    return found
