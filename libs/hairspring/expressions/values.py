"""Values as CEL can take them.

Events are JSON, and JSON can say what CEL has no value for: whole numbers beyond 64 bits, and text
with half of a surrogate pair. One such value would spoil the whole mapping that it stands in.
"""

from collections.abc import Iterable, Mapping
from typing import Any

_LOWEST, _HIGHEST = -(2**63), 2**64 - 1
_SIMPLE = frozenset({bool, float, type(None)})


def mended(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that CEL takes: large numbers become doubles, half surrogates become U+FFFD.

    What JSON cannot hold becomes null. Works without recursion, however deep the value is.
    """
    result: dict[str, Any] = {}
    pending: list[tuple[Any, Any]] = [(properties, result)]
    while pending:
        source, copy = pending.pop()
        for key, value in _entries(source):
            made: Any
            if isinstance(value, Mapping):
                made = {}
                pending.append((value, made))
            elif isinstance(value, list | tuple):
                made = [None] * len(value)
                pending.append((value, made))
            else:
                made = _scalar(value)
            copy[key] = made
    return result


def has_odd_values(properties: Mapping[str, Any]) -> bool:
    """Whether there is anything to mend, at any depth."""
    if type(properties) is not dict:
        return True
    pending: list[Any] = [properties]
    while pending:
        source = pending.pop()
        if type(source) is dict:
            if not all(type(key) is str and _is_text(key) for key in source):
                return True
            values: Iterable[Any] = source.values()
        else:
            values = source
        for value in values:
            kind = type(value)
            if kind is dict or kind is list:
                pending.append(value)
            elif not _is_plain(kind, value):
                return True
    return False


def mended_text(text: str) -> str:
    """Text that has a UTF-8 form."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_plain(kind: type, value: Any) -> bool:
    if kind is str:
        return _is_text(value)
    if kind is int:
        return bool(_LOWEST <= value <= _HIGHEST)
    return kind in _SIMPLE


def _is_text(text: str) -> bool:
    return text.isascii() or mended_text(text) == text


def _entries(source: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(source, Mapping):
        return ((mended_text(str(key)), value) for key, value in source.items())
    return enumerate(source)


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return mended_text(value)
    if isinstance(value, int):
        return value if _LOWEST <= value <= _HIGHEST else as_double(value)
    return None


def as_double(number: int) -> float:
    """The nearest double, or an infinity."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
