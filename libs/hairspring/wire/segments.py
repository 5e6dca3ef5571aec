"""Segments between their contract and what YAML says.

A segment of the contract becomes the tree that a person would have written, and goes the way of
every definition from there; a canonical form becomes the contract again. Both walk the contract's
own descriptors by one table of names, so that no condition is known here twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from hairspring.contracts.segment.v1 import condition_pb2 as condition
from hairspring.contracts.segment.v1 import segment_pb2
from hairspring.definitions import durations

Tree: TypeAlias = dict[str, Any]
#: A descriptor of a field, whose type depends on how the library was built.
_Field: TypeAlias = Any

#: What a field of the contract is called in YAML, where that is another name.
_KEYS = {
    "event_names": "event",
    "all_of": "all",
    "any_of": "any",
    "not_of": "not",
    "in_segment": "segment",
    "duration": "for",
    "function": "fn",
    "comparison": "is",
    "start_offset": "from",
    "end_offset": "until",
    "timezone_trait": "timezone",
}
#: Fields whose value YAML wraps in a mapping, under this key.
_WRAPPED = {"timezone_trait": "trait"}
#: A field whose parts stand in YAML among those of its parent.
_SPREAD = "pattern"
#: Messages that stand in YAML as the value of their only field.
_BARE = {
    message.DESCRIPTOR.full_name
    for message in (
        *(condition.AllOf, condition.AnyOf, condition.NotOf),
        *(condition.ProfileCondition, condition.InSegment),
    )
}
#: What is told of a segment and never taken.
_TOLD = {"version", "apply_time", "source"}
_SIGNS: dict[int, str] = {
    condition.COMPARISON_OPERATOR_UNSPECIFIED: "==",
    condition.COMPARISON_OPERATOR_EQUAL: "==",
    condition.COMPARISON_OPERATOR_NOT_EQUAL: "!=",
    condition.COMPARISON_OPERATOR_AT_LEAST: ">=",
    condition.COMPARISON_OPERATOR_MORE_THAN: ">",
    condition.COMPARISON_OPERATOR_AT_MOST: "<=",
    condition.COMPARISON_OPERATOR_LESS_THAN: "<",
}
_OPERATORS: dict[str, Any] = {sign: operator for operator, sign in _SIGNS.items()}


def to_tree(segment: segment_pb2.Segment) -> Tree:
    """The tree of YAML that says what a segment of the contract does; nothing is checked."""
    return {"kind": "Segment", **_mapping(segment)}


def from_body(body: Mapping[str, Any]) -> segment_pb2.Segment:
    """The contract's segment of a canonical form; without version, time and source."""
    segment = segment_pb2.Segment()
    _fill(segment, body)
    return segment


def _mapping(message: Message) -> Tree:
    found: Tree = {}
    for field in message.DESCRIPTOR.fields:
        if field.name in _TOLD or not _is_set(message, field):
            continue
        value = getattr(message, field.name)
        if field.name == _SPREAD:
            found |= _mapping(value)
        else:
            found[_KEYS.get(field.name, field.name)] = _written(field, value)
    return found


def _is_set(message: Message, field: _Field) -> bool:
    if field.has_presence:
        return message.HasField(field.name)
    return bool(getattr(message, field.name))


def _written(field: _Field, value: Any) -> Any:
    if field.name in _WRAPPED:
        return {_WRAPPED[field.name]: value}
    if not field.is_repeated:
        return _one_written(field, value)
    found = [_one_written(field, one) for one in value]
    one_name = field.message_type is None and len(found) == 1
    return found[0] if one_name else found


def _one_written(field: _Field, value: Any) -> Any:
    if field.enum_type is not None:
        return _enum_written(field, value)
    if field.message_type is None:
        return value
    name = field.message_type.full_name
    if name in _BARE:
        return _bare(value)
    write = _WRITERS.get(name)
    return write(value) if write is not None else _mapping(value)


def _bare(message: Message) -> Any:
    [field] = message.DESCRIPTOR.fields
    value = getattr(message, field.name)
    if field.is_repeated:
        return [_one_written(field, one) for one in value]
    return _one_written(field, value)


def _enum_written(field: _Field, value: int) -> str:
    known = field.enum_type.values_by_number.get(value)
    if known is None:
        return str(value)
    return str(known.name).removeprefix(_prefix(field)).lower()


def _prefix(field: _Field) -> str:
    """What the names of an enum's values begin with, such as AGGREGATE_FUNCTION_."""
    words = re.findall("[A-Z][a-z]+", field.enum_type.name)
    return "".join(word.upper() + "_" for word in words)


def _duration_written(duration: Duration) -> str:
    if duration.nanos:
        return f"{duration.seconds + duration.nanos / 1e9:.9f}".rstrip("0") + "s"
    sign = "-" if duration.seconds < 0 else ""
    return sign + durations.write(abs(duration.seconds) * 1_000)


def _count_written(comparison: condition.CountComparison) -> str:
    return f"{_sign(comparison.operator)} {comparison.number}"


def _value_written(comparison: condition.ValueComparison) -> str:
    sign = _sign(comparison.operator)
    if comparison.WhichOneof("operand") == "text":
        return f"{sign} {json.dumps(comparison.text, ensure_ascii=False)}"
    number = comparison.number
    whole = number.is_integer() and abs(number) < 2**53
    return f"{sign} {int(number) if whole else number}"


def _sign(operator: int) -> str:
    return _SIGNS.get(operator, str(operator))


_WRITERS: dict[str, Callable[[Any], Any]] = {
    Duration.DESCRIPTOR.full_name: _duration_written,
    condition.CountComparison.DESCRIPTOR.full_name: _count_written,
    condition.ValueComparison.DESCRIPTOR.full_name: _value_written,
}


def _fill(message: Message, body: Mapping[str, Any]) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.name == _SPREAD:
            _fill(getattr(message, field.name), body)
            continue
        value = body.get(_key(field))
        if value is not None and field.name not in _TOLD:
            _put(message, field, value)


def _key(field: _Field) -> str:
    """The key in the canonical form, which wraps nothing."""
    name: str = field.name
    return name if name in _WRAPPED else _KEYS.get(name, name)


def _put(message: Message, field: _Field, value: Any) -> None:
    held = getattr(message, field.name)
    if field.is_repeated:
        for one in value if isinstance(value, list) else [value]:
            if field.message_type is not None:
                _set(held.add(), one)
            else:
                held.append(one)
    elif field.message_type is not None:
        held.SetInParent()
        _set(held, value)
    elif field.enum_type is not None:
        setattr(message, field.name, _prefix(field) + str(value).upper())
    else:
        setattr(message, field.name, value)


def _set(message: Message, value: Any) -> None:
    name = message.DESCRIPTOR.full_name
    if name in _BARE:
        [field] = message.DESCRIPTOR.fields
        _put(message, field, value)
    elif name in _READERS:
        _READERS[name](message, value)
    else:
        _fill(message, value)


def _set_duration(duration: Duration, milliseconds: int) -> None:
    duration.FromMilliseconds(milliseconds)


def _set_count(comparison: condition.CountComparison, text: str) -> None:
    sign, number = text.split()
    comparison.operator, comparison.number = _OPERATORS[sign], int(number)


def _set_value(comparison: condition.ValueComparison, body: Mapping[str, Any]) -> None:
    comparison.operator, value = _OPERATORS[body["operator"]], body["value"]
    if isinstance(value, str):
        comparison.text = value
    else:
        comparison.number = value


_READERS: dict[str, Callable[[Any, Any], None]] = {
    Duration.DESCRIPTOR.full_name: _set_duration,
    condition.CountComparison.DESCRIPTOR.full_name: _set_count,
    condition.ValueComparison.DESCRIPTOR.full_name: _set_value,
}
