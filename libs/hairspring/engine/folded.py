"""What is left of events beyond the horizon, for conditions that look back without end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(slots=True)
class Folded:
    """Values that no late event can stand before any more, as far as aggregates need them."""

    count: int = 0
    partials: list[float] = field(default_factory=list)  #: Their exact sum, as doubles.
    least: float | None = None
    most: float | None = None
    first: float | str | None = None
    last: float | str | None = None
    distinct: list[str] = field(default_factory=list)  #: In no order; bounded by the definition.
    upto: tuple[int, int] = (0, 0)  #: (time, order) of the last event that went in.


def exact_sum(values: Sequence[float]) -> float:
    """The correctly rounded sum of doubles, whatever their order; infinite where none can hold it.

    Follows Shewchuk, Adaptive Precision Floating-Point Arithmetic (1997), as `math.fsum` does.
    """
    try:
        return math.fsum(values)
    except OverflowError:  # on the way only, perhaps
        whole = sum(map(Fraction, values), Fraction(0))
        try:
            return float(whole)
        except OverflowError:
            return math.inf if whole > 0 else -math.inf


def grown(partials: Sequence[float], value: float) -> list[float]:
    """Adds a value to an exact sum that is kept as doubles that do not overlap (Shewchuk)."""
    given, done = value, list[float]()
    for other in partials:
        if abs(value) < abs(other):
            value, other = other, value
        high = value + other
        if math.isinf(high):
            return [*partials, given]  # kept side by side: `exact_sum` adds them exactly
        low = other - (high - value)
        if low:
            done.append(low)
        value = high
    return [*done, value]
