"""JSON objects as bytes: checked, repaired where only the text is damaged, bounded in size."""

import json
from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf.struct_pb2 import Struct, Value

MAX_BYTES = 32 * 1024
MAX_DEPTH = 32

_WHOLE = float(2**53)


class BadJson(ValueError):
    """The bytes are not a JSON object that can be taken; the text says why."""


def check_object(data: bytes, *, what: str = "properties") -> bytes:
    """Answer the bytes of a JSON object as they are, or repaired.

    Lone surrogates and bytes that are no UTF-8 become U+FFFD. Numbers of any size are kept.
    Raises BadJson for what is no JSON object, is larger than 32 KB or nested deeper than 32.
    """
    if len(data) > MAX_BYTES:
        raise BadJson(f"{what} are {len(data)} bytes of JSON; at most {MAX_BYTES} are taken")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        value, data = _repaired(data, what, error)
    if not isinstance(value, dict):
        raise BadJson(f"{what} must be a JSON object, not {_kind(value)}")
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise BadJson(f"{what} are nested deeper than {MAX_DEPTH} levels")
    return data


def load(data: bytes, *, what: str = "it") -> Any:
    """Read JSON of any kind; text that is damaged (bad UTF-8, lone surrogates) is mended.

    Raises BadJson for what is no JSON, such as NaN or a nesting that no reader takes.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return _repaired(data, what, error)[0]


def struct_to_bytes(struct: Struct, *, what: str = "properties") -> bytes:
    """Write a Struct as JSON with its keys in order; whole numbers below 2^53 become integers.

    Raises BadJson as `check_object` does, and for numbers that JSON cannot hold.
    """
    data = orjson.dumps(_fields(struct, what, MAX_DEPTH), option=orjson.OPT_SORT_KEYS)
    if len(data) > MAX_BYTES:
        raise BadJson(f"{what} are {len(data)} bytes of JSON; at most {MAX_BYTES} are taken")
    return data


def _fields(struct: Struct, what: str, room: int) -> dict[str, Any]:
    if room == 0:
        raise BadJson(f"{what} are nested deeper than {MAX_DEPTH} levels")
    return {key: _plain(value, what, room - 1) for key, value in struct.fields.items()}


def _plain(value: Value, what: str, room: int) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        return _number(value.number_value, what)
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return _fields(value.struct_value, what, room)
    if kind == "list_value":
        if room == 0:
            raise BadJson(f"{what} are nested deeper than {MAX_DEPTH} levels")
        return [_plain(item, what, room - 1) for item in value.list_value.values]
    return None


def _number(number: float, what: str) -> int | float:
    if -_WHOLE < number < _WHOLE:
        return int(number) if number.is_integer() else number
    if number != number or number in (float("inf"), float("-inf")):
        raise BadJson(f"{what} hold a number that JSON cannot write: {number}")
    return number


def _repaired(data: bytes, what: str, error: Exception) -> tuple[Any, bytes]:
    """Read what only has damaged text, and write it again without the damage."""
    try:
        value = json.loads(data.decode("utf-8", "replace"), parse_constant=_refuse)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
        return orjson.loads(whole), whole
    except (ValueError, RecursionError):
        raise BadJson(f"{what} cannot be read as JSON: {error}") from None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _deeper_than(value: Any, depth: int) -> bool:
    """Tell whether a value nests deeper than so many levels, level by level."""
    level: list[Any] = [value]
    for _ in range(depth):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


_INSIDE: dict[type, Callable[[Any], Any]] = {dict: dict.values, list: iter}


def _inside(value: Any) -> list[Any]:
    """Answer the containers directly inside a container."""
    return [item for item in _INSIDE[type(value)](value) if type(item) in _INSIDE]


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
