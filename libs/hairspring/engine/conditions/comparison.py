"""Comparisons: of a count with a whole number, and of a value with a number or a text."""

import json
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`>= 3` and the like."""

    operator: str
    number: int
    compare: Callable[[Any, Any], bool] = field(init=False, compare=False, repr=False)
    _turns: int | None = field(init=False, compare=False, repr=False)
    """Where a falling count turns the answer; None where that depends on the count."""

    def __post_init__(self) -> None:
        """Checks the operator.

        Raises:
            ValueError: If the operator is none of the language.
        """
        if self.operator not in OPERATORS:
            raise ValueError(f"unknown operator {self.operator!r}")
        n = self.number
        turns = {">=": n - 1, "<": n - 1, ">": n, "<=": n}.get(self.operator)
        object.__setattr__(self, "_turns", turns)
        object.__setattr__(self, "compare", OPERATORS[self.operator])

    def holds(self, count: int) -> bool:
        """Whether the count satisfies it."""
        return self.compare(count, self.number)

    def next_below(self, count: int) -> int | None:
        """The largest smaller count at which the answer is the other one; None if there is none."""
        n, turns = self.number, self._turns
        if turns is None:  # == and != turn at n and turn back below it
            turns = n if count > n else n - 1
        return turns if 0 <= turns < count else None

    def missing(self, count: int) -> int:
        """How many more satisfy it; 0 where more would not help."""
        least = {">=": self.number, "==": self.number, ">": self.number + 1}.get(self.operator, 0)
        return max(least - count, 0)

    @property
    def deciding(self) -> int:
        """How many of the latest events settle the answer, however many more there are."""
        return max(self.number, 1) if self.operator in (">=", "<") else self.number + 1

    def __str__(self) -> str:
        return f"{self.operator} {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """`>= 99.5` or `== "gold"`: a comparison of an aggregate; texts compare by code points."""

    operator: str
    value: float | str
    compare: Callable[[Any, Any], bool] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Looks up the operator."""
        object.__setattr__(self, "compare", OPERATORS[self.operator])

    def holds(self, found: float | str) -> bool:
        """Whether a value of the same type satisfies it."""
        return self.compare(found, self.value)

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return f"{self.operator} {json.dumps(self.value, ensure_ascii=False)}"
        whole = self.value.is_integer() and abs(self.value) < 2**53
        return f"{self.operator} {int(self.value) if whole else self.value!r}"


AT_LEAST_ONCE = Comparison(operator=">=", number=1)
