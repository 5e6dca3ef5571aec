"""Comparisons of a count with a whole number."""

import operator
from collections.abc import Callable
from dataclasses import dataclass

OPERATORS: dict[str, Callable[[int, int], bool]] = {
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

    def __post_init__(self) -> None:
        """Checks the operator.

        Raises:
            ValueError: If the operator is none of the language.
        """
        if self.operator not in OPERATORS:
            raise ValueError(f"unknown operator {self.operator!r}")

    def holds(self, count: int) -> bool:
        """Whether the count satisfies it."""
        return OPERATORS[self.operator](count, self.number)

    def next_below(self, count: int) -> int | None:
        """The largest smaller count at which the answer is the other one; None if there is none."""
        n = self.number
        turns = {">=": n - 1, "<": n - 1, ">": n, "<=": n}.get(self.operator)
        if turns is None:  # == and != turn at n and turn back below it
            turns = n if count > n else n - 1
        return turns if 0 <= turns < count else None

    def __str__(self) -> str:
        return f"{self.operator} {self.number}"


AT_LEAST_ONCE = Comparison(operator=">=", number=1)
