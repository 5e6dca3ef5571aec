"""Streams: for each distinct pattern, one sorted run of the events that matched it.

Everything that conditions ask (counts, windows, episodes) is a pure function over such runs by
bisection, so a late event is an insertion and nothing else has to be corrected.
"""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from hairspring.engine.events import Event, Predicate

ANY_EVENT = "*"


class Run:
    """The matching events of one pattern, sorted by (time, order)."""

    __slots__ = ("orders", "times")

    def __init__(self, times: list[int] | None = None, orders: list[int] | None = None) -> None:
        self.times: list[int] = times if times is not None else []
        self.orders: list[int] = orders if orders is not None else []

    def __len__(self) -> int:
        return len(self.times)

    def insert(self, time: int, order: int) -> None:
        """Puts an event where it belongs, also a late one."""
        times = self.times
        if not times or (time, order) > (times[-1], self.orders[-1]):
            times.append(time)
            self.orders.append(order)
            return
        index = self.after(time, order)
        times.insert(index, time)
        self.orders.insert(index, order)

    def after(self, time: int, order: int) -> int:
        """The index of the first event behind (time, order)."""
        first = bisect_left(self.times, time)
        last = bisect_right(self.times, time, first)
        return first + bisect_right(self.orders[first:last], order)

    def first_after(self, time: int) -> int:
        """The index of the first event with a later time."""
        return bisect_right(self.times, time)

    def references(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The (time, order) pairs of a slice."""
        return zip(self.times[start:stop], self.orders[start:stop], strict=True)


#: Stands for every stream that has no events yet. Never inserted into.
EMPTY = Run()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Which events are meant: their names and, optionally, an expression that must hold.

    Two patterns with the same names and the same expression share one stream, in all definitions
    and all versions of them: `key` depends on nothing else.
    """

    names: tuple[str, ...]
    where: str | None = None
    predicate: Predicate | None = field(default=None, compare=False, repr=False)
    key: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Sorts the names and derives the key.

        Raises:
            ValueError: If there is no name, or an expression comes without its predicate.
        """
        if not self.names or (self.where is None) != (self.predicate is None):
            raise ValueError("a pattern needs names, and a predicate exactly where it has `where`")
        names = (ANY_EVENT,) if ANY_EVENT in self.names else tuple(sorted(set(self.names)))
        object.__setattr__(self, "names", names)
        text = json.dumps([names, self.where])
        object.__setattr__(self, "key", hashlib.blake2b(text.encode(), digest_size=6).hexdigest())

    def matches(self, event: Event) -> bool:
        """Tells whether the expression holds; the name is looked up in the plan before."""
        return self.predicate is None or self.predicate(event)

    def __str__(self) -> str:
        names = " or ".join(self.names) if self.names != (ANY_EVENT,) else "any event"
        return f"{names} where {self.where}" if self.where else names
