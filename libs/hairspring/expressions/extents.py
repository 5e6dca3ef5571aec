"""How large values are, which tells how long it takes to look at them."""

from collections.abc import Mapping
from typing import Any

from hairspring.expressions.budget import Extent

_ONE = Extent(1, 1, 1, 1, 1)
_OBJECT = (dict, Mapping)


def extent_of(value: Any) -> Extent:
    """The extent of a JSON value; works without recursion, however deep it is."""
    if isinstance(value, _OBJECT):
        items, keys = [_weight(inner) for inner in value.values()], _characters(value)
    elif isinstance(value, list | tuple):
        items, keys = [_weight(inner) for inner in value], 0
    else:
        values, size = _weight(value)
        return Extent(1, values, size, values, size)
    most_values, most_size = max(items, default=(1, 1))[0], max(it[1] for it in [*items, (1, 1)])
    values, size = sum(it[0] for it in items), sum(it[1] for it in items)
    return Extent(len(items), 1 + values, 1 + size + keys, most_values, max(most_size, keys))


def extent_at(value: Any, path: tuple[str | int, ...]) -> Extent:
    """The extent of what a path leads to; of one value where it leads nowhere."""
    for step in path:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return _ONE
    return extent_of(value)


def size_of(value: Any) -> int:
    """The number of values and characters in a value."""
    return _weight(value)[1]


def _weight(value: Any) -> tuple[int, int]:
    """The values in a value, and these and their characters."""
    values = characters = 0
    pending = [value]
    while pending:
        inner = pending.pop()
        values += 1
        if isinstance(inner, str):
            characters += len(inner)
        elif isinstance(inner, _OBJECT):
            characters += _characters(inner)
            pending.extend(inner.values())
        elif isinstance(inner, list | tuple):
            pending.extend(inner)
    return values, values + characters


def _characters(keys: Mapping[Any, Any]) -> int:
    return sum(len(str(key)) for key in keys)
