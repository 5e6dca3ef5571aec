"""Values of events as the engine remembers and compares them: groups, numbers and texts."""

import json
import math
from collections.abc import Callable
from enum import Enum

#: Stands for "no group" among the groups of a stream; no group is named so, as those are JSON.
UNGROUPED = ""


def group_of(value: object) -> str | None:
    """The group that a value names, as JSON: equal values give equal texts; None if it names none.

    Texts, numbers and booleans name groups. Numbers are equal as in JSON, so 1 and 1.0 are one.
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**64 else _text_of(_double(value))
    if isinstance(value, float):
        return _text_of(value)
    return None


def number_of(value: object) -> float | None:
    """A number as an IEEE double; None for everything else, and for what no double can hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return _double(value)
    return None


def text_of(value: object) -> str | None:
    """A text as it is; None for everything else."""
    return value if isinstance(value, str) else None


def _double(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _text_of(value: float | None) -> str | None:
    if value is None or not math.isfinite(value):
        return None
    whole = value.is_integer() and -(2**63) <= value < 2**64
    return str(int(value)) if whole else repr(value)


class Takes(Enum):
    """Which values of events a stream takes; other events are left out."""

    NUMBER = "number"  #: Numbers, as doubles.
    TEXT = "text"  #: Texts.
    ANY = "any"  #: Texts, numbers and booleans, each as its group.

    @property
    def read(self) -> Callable[[object], float | str | None]:
        """What is remembered of a value; None where it is of another type."""
        return _READERS[self]


_READERS: dict[Takes, Callable[[object], float | str | None]] = {
    Takes.NUMBER: number_of,
    Takes.TEXT: text_of,
    Takes.ANY: group_of,
}
