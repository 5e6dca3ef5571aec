"""Whatever segment a caller sends, the answer is a definition or problems with paths."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hairspring.contracts.segment.v1.segment_pb2 import Segment
from hairspring.definitions import BadDefinitions, Catalog, Manifest, load
from hairspring.definitions.writing import write
from hairspring.wire.segments import from_body, to_tree
from hypothesis import assume, given, settings
from hypothesis import strategies as st

KNOWN = load(
    [Manifest(path="", text="kind: Segment\nname: staff\nenter: {performed: {event: A}}\n")]
)
#: What makes sense in a field; anything else is put there as well, now and then.
SENSE: dict[str, st.SearchStrategy[Any]] = {
    "event_names": st.sampled_from(["A", "B", "C"]),
    "where": st.sampled_from(["properties.x > 1.0", 'context.y == "no"', "true"]),
    "by": st.just("properties.x"),
    "of": st.sampled_from(["properties.x", "context.y"]),
    "expression": st.just("traits.age > 18"),
    "segment": st.just("staff"),
    "trait": st.just("born"),
    "timezone": st.just("Europe/Vienna"),
    "timezone_trait": st.just("zone"),
    "number": st.integers(1, 9),
    "operator": st.integers(0, 6),
    "function": st.integers(1, 7),
    "description": st.sampled_from(["yes: # all", "no", ""]),
    "name": st.just("a-name"),
}
NUMBERS = st.sampled_from([0, 1, 2, 3, -1, 60, 3600, 10**9])
TEXTS = st.sampled_from(["", " ", "*", "no", "10:00", "\0", "\u2028", "😀"]) | st.text(max_size=8)
ANYTHING: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.CPPTYPE_STRING: TEXTS,
    FieldDescriptor.CPPTYPE_INT32: NUMBERS,
    FieldDescriptor.CPPTYPE_INT64: NUMBERS,
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats() | NUMBERS.map(float),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(0, 99),
}
#: What is left out as often as not, where it makes sense.
OPTIONAL = {
    *("where", "by", "times", "within", "since", "restart", "recent", "timezone"),
    *("timezone_trait", "text", "description", "exit", "stay", "cooldown", "max_event_age"),
}


def fill(draw: st.DrawFn, message: Message, depth: int, sense: bool) -> None:
    """Sets fields of a message by its descriptor alone, to what makes sense or to anything."""
    fields = list(message.DESCRIPTOR.fields)
    if message.DESCRIPTOR.name == "Condition":
        leaves = [field for field in fields if field.name not in ("all_of", "any_of", "not_of")]
        put(draw, message, draw(st.sampled_from(fields if depth > 3 else leaves)), depth, sense)
        return
    for field in fields:
        wanted = field.name not in OPTIONAL if sense else draw(st.booleans())
        if wanted or draw(st.integers(0, 3)) == 0:
            put(draw, message, field, depth, sense)


def put(draw: st.DrawFn, message: Message, field: Any, depth: int, sense: bool) -> None:
    """Sets a field."""
    held = getattr(message, field.name)
    if field.message_type is None:
        value = ANYTHING[field.cpp_type]
        if sense:
            value = SENSE.get(field.name, value)
        if field.is_repeated:
            held.extend(draw(st.lists(value, min_size=int(sense), max_size=3, unique=sense)))
        else:
            setattr(message, field.name, draw(value))
    elif field.message_type.name == "Duration":
        signed = st.integers(-9, -1) if field.name == "start_offset" else st.integers(1, 9)
        held.seconds = draw(signed if sense else NUMBERS)
        held.nanos = 0 if sense else draw(st.sampled_from([0, 0, 1, 999_999_999, -1]))
    elif field.message_type.name != "Timestamp" and depth > 0:
        many = draw(st.integers(2 if sense else 0, 2)) if field.is_repeated else 1
        for _ in range(many):
            inner = held.add() if field.is_repeated else held
            inner.SetInParent()
            fill(draw, inner, depth - 1, sense)


@st.composite
def any_segment(draw: st.DrawFn, sense: bool) -> Segment:
    """A segment with anything in it, or with what makes sense in each field."""
    segment = Segment(name="a-name")
    fill(draw, segment, 8, sense)
    return segment


def defined(segment: Segment) -> Catalog | None:
    """What the service makes of a segment; None where it has problems, of which there are some."""
    problems = None
    try:
        return load([Manifest(path="segment", text=write(to_tree(segment)))], KNOWN)
    except BadDefinitions as error:
        problems = error.problems
    assert problems
    return None


@given(any_segment(sense=False))
@settings(max_examples=200)
def test_any_segment_is_answered(segment: Segment) -> None:
    """Whatever its fields hold, it has problems or is a definition."""
    defined(segment)


@given(any_segment(sense=True))
@settings(max_examples=200)
def test_a_sound_segment_comes_back_the_same(segment: Segment) -> None:
    """Of fields that make sense most are sound; the definition as a message is the same one."""
    catalog = defined(segment)

    assume(catalog is not None)
    assert catalog is not None
    body = catalog.segments[segment.name].body
    again = defined(from_body(body))
    assert again is not None
    assert again.segments[segment.name].body == body


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(content: bytes) -> None:
    """Also what only looks like a segment on the wire."""
    segment = Segment()
    try:
        segment.ParseFromString(content)
    except Exception:
        return  # no message at all, which the caller's library tells

    defined(segment)
