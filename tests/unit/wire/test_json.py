"""JSON objects at the door."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from hairspring.wire.json import MAX_BYTES, MAX_DEPTH, BadJson, check_object, struct_to_bytes
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int, opening: str = '{"a":', closing: str = "}") -> bytes:
    """Write an object that is so many levels deep."""
    return (opening * depth + "1" + closing * depth).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b' {"a": 1} ',
        b'{"id": 9007199254740993, "huge": 123456789012345678901234567890}',
        b'{"a": "\\u0000"}',
        b'{"a": "' + b"{[" * 100 + b'"}',
        nested(MAX_DEPTH),
    ],
)
def test_a_sound_object_is_kept_as_it_is(data: bytes) -> None:
    """Not a byte is changed, integers beyond 2^53 included."""
    assert check_object(data) == data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": "cut \\ud83d"}', {"a": "cut \ufffd"}),
        (b'{"a": "\\udc00\\ud83d\\ude00"}', {"a": "\ufffd\U0001f600"}),
        (b'{"a": "caf\xe9", "n": 9007199254740993}', {"a": "caf\ufffd", "n": 9007199254740993}),
        (b'{"a": "\xed\xa0\xbd"}', {"a": "\ufffd\ufffd\ufffd"}),
    ],
)
def test_damaged_text_is_repaired(data: bytes, expected: object) -> None:
    """Lone surrogates and bytes that are no UTF-8 become U+FFFD; the rest stays."""
    assert json.loads(check_object(data)) == expected


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b'{"a": NaN}', "cannot be read"),
        (b'{"a": 1e400}', "cannot be read"),
        (b'{"a": -Infinity, "b": "\\ud800"}', "cannot be read"),
        (b'{"a": 1}\x00', "cannot be read"),
        (b"[]", "a list"),
        (b"null", "null"),
        (b'"text"', "a string"),
        (b"true", "a boolean"),
        (b"12", "a number"),
        (b'{"a": "' + b"x" * MAX_BYTES + b'"}', "at most 32768"),
        (nested(MAX_DEPTH + 1), "nested deeper"),
        (b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "nested deeper"),
        (nested(5000), "cannot be read"),
        (b'{"a": "\\ud800", "b":' + b"[" * 9000 + b"]" * 9000 + b"}", "cannot be read"),
    ],
)
def test_what_cannot_be_taken_is_refused(data: bytes, words: str) -> None:
    """Each refusal says why, and none is a crash."""
    with pytest.raises(BadJson, match=words):
        check_object(data)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_a_struct_reads_as_protobuf_itself_writes_it(fields: dict[str, object]) -> None:
    """The small walker says the same as json_format."""
    struct = Struct()
    struct.update(fields)
    assert json.loads(struct_to_bytes(struct)) == json_format.MessageToDict(struct)


def test_whole_numbers_of_a_struct_are_integers_in_order_of_keys() -> None:
    """41.0 is written as 41, 0.5 as 0.5, and what a double cannot count exactly as a double."""
    struct = Struct()
    struct.update({"c": 0.5, "b": 41, "a": -0.0, "d": 1e300})
    assert struct_to_bytes(struct) == b'{"a":0,"b":41,"c":0.5,"d":1e+300}'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_cannot_write_are_refused(number: float) -> None:
    """A Struct can hold them; JSON cannot."""
    struct = Struct()
    struct.fields["a"].number_value = number
    with pytest.raises(BadJson, match="cannot write"):
        struct_to_bytes(struct)


def test_a_struct_is_bounded_as_bytes_are() -> None:
    """Depth and size have the same bounds as for bytes."""
    deep = Struct()
    inner = deep
    for _ in range(MAX_DEPTH):
        inner = inner.fields["a"].struct_value
        inner.SetInParent()
    with pytest.raises(BadJson, match="nested deeper"):
        struct_to_bytes(deep)
    large = Struct()
    large["a"] = "x" * MAX_BYTES
    with pytest.raises(BadJson, match="at most"):
        struct_to_bytes(large)
