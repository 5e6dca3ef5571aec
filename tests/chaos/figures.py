"""What was measured: every promise as a figure beside its limit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

#: What is promised, in seconds; by the name of the figure.
LIMITS = {
    "take-over after a kill": 10.0,
    "take-over after a pause": 10.0,
    "hand-over after SIGTERM": 1.0,
    "due while Redis was away: late by": 5.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One figure, in seconds; `alone`: no other fault was at work meanwhile."""

    name: str
    of: str
    seconds: float
    alone: bool


@dataclass(slots=True)
class Figures:
    """Gathers what is measured while it happens."""

    measured: list[Measured] = field(default_factory=list)

    def add(self, name: str, of: str, seconds: float, *, alone: bool) -> None:
        """Note a figure of a service, or of whatever else it is of."""
        self.measured.append(Measured(name=name, of=of, seconds=round(seconds, 3), alone=alone))

    def lines(self) -> list[dict[str, Any]]:
        """The figures by name and place: those measured alone, and those amid other faults."""
        groups: dict[tuple[str, str], list[Measured]] = defaultdict(list)
        for one in self.measured:
            groups[one.name, one.of].append(one)
        found = []
        for (name, of), group in sorted(groups.items()):
            alone = [one.seconds for one in group if one.alone]
            amid = [one.seconds for one in group if not one.alone]
            limit = LIMITS.get(name)
            found.append(
                {
                    "figure": name,
                    "of": of,
                    "alone": alone,
                    "amid_others": amid,
                    "limit": limit,
                    "kept": None if limit is None or not alone else max(alone) < limit,
                }
            )
        return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """How many values there are, their median, the one that 99 in 100 stay below, the largest."""
    if not values:
        return {"n": 0}
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        "n": len(ordered),
        "p50": ordered[last // 2],
        "p99": ordered[last * 99 // 100],
        "max": ordered[last],
    }


def longest_gap(moments: Sequence[int], begin: int, end: int) -> int:
    """The longest time between two moments from begin to end (all in ms), these two included."""
    inside = sorted(moment for moment in moments if begin <= moment <= end)
    edges = [begin, *inside, end]
    return max(later - earlier for earlier, later in pairwise(edges))
