"""Streams: for each distinct pattern, sorted runs of the events that matched it.

Everything that conditions ask (counts, windows, episodes) is a pure function over such runs by
bisection, so a late event is an insertion and nothing else has to be corrected. A pattern with `by`
has a run for each group; one with `of` keeps a value with each event.
"""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hairspring.engine.events import Event, Predicate
from hairspring.engine.values import UNGROUPED, Takes, group_of

ANY_EVENT = "*"

Value = float | str
Reference = tuple[int, int]
"""(time, order) of an event."""


class Run(NamedTuple):
    """The matching events of one pattern (and group), sorted by (time, order).

    A tuple, since some are read and written with every profile. Where a pattern has a value with
    each event there is a list of them, also while there is no event.
    """

    times: list[int]
    orders: list[int]
    values: list[Value] | None = None

    def insert(self, time: int, order: int, value: Value | None = None) -> None:
        """Puts an event where it belongs, also a late one."""
        times = self.times
        if not times or time > times[-1] or (time == times[-1] and order > self.orders[-1]):
            times.append(time)
            self.orders.append(order)
            if value is not None:
                self._valued().append(value)
            return
        index = self.after(time, order)
        times.insert(index, time)
        self.orders.insert(index, order)
        if value is not None:
            self._valued().insert(index, value)

    def _valued(self) -> list[Value]:
        assert self.values is not None, "a run with values has begun with one"
        return self.values

    def after(self, time: int, order: int) -> int:
        """The index of the first event behind (time, order)."""
        first = bisect_left(self.times, time)
        last = bisect_right(self.times, time, first)
        return bisect_right(self.orders, order, first, last)

    def before(self, time: int, order: int) -> int:
        """The index of the last event before (time, order); -1 where there is none."""
        first = bisect_left(self.times, time)
        last = bisect_right(self.times, time, first)
        return bisect_left(self.orders, order, first, last) - 1

    def first_after(self, time: int) -> int:
        """The index of the first event with a later time."""
        return bisect_right(self.times, time)

    def first_at(self, time: int) -> int:
        """The index of the first event that is not earlier."""
        return bisect_left(self.times, time)

    def last(self) -> Reference | None:
        """The latest event."""
        return (self.times[-1], self.orders[-1]) if self.times else None

    def references(self, start: int, stop: int) -> Iterator[Reference]:
        """The (time, order) pairs of a slice."""
        return zip(self.times[start:stop], self.orders[start:stop], strict=True)

    def forget(self, count: int) -> None:
        """Drops the earliest events."""
        if count > 0:
            del self.times[:count], self.orders[:count]
            if self.values is not None:
                del self.values[:count]

    def forget_after(self, time: int) -> None:
        """Drops the events that are later than a moment (milliseconds, UTC)."""
        stop = bisect_right(self.times, time)
        del self.times[stop:], self.orders[stop:]
        if self.values is not None:
            del self.values[stop:]

    def keep(self, wanted: set[Reference], since: int) -> None:
        """Drops all events before `since` (milliseconds, UTC) but those wanted."""
        stop = bisect_left(self.times, since)
        for index in range(stop - 1, -1, -1):
            if (self.times[index], self.orders[index]) not in wanted:
                del self.times[index], self.orders[index]
                if self.values is not None:
                    del self.values[index]


#: Stands for every stream that has no events yet. Never inserted into.
EMPTY = Run([], [])


def begun(value: Value | None) -> Run:
    """A run for a first event, with its value where it has one."""
    return Run([], [], None if value is None else [])


def salt_of(*parts: object) -> str:
    """A short text that tells streams apart that differ in any of these."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=6).hexdigest()


#: Reads a value of an event; None where there is none.
Reader = Callable[[Event], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Which events are meant: their names and, optionally, an expression that must hold.

    With `by`, the events are kept by the group that they name; with `of`, with a value. `loose`
    keeps those that name no group as well, under `UNGROUPED`. Two patterns that say the same share
    one stream, in all definitions and all versions of them: `key` depends on nothing else. `salt`
    tells apart the streams of conditions that forget by rules of their own.
    """

    names: tuple[str, ...]
    where: str | None = None
    predicate: Predicate | None = field(default=None, compare=False, repr=False)
    by: str | None = None
    group: Reader | None = field(default=None, compare=False, repr=False)
    of: str | None = None
    value: Reader | None = field(default=None, compare=False, repr=False)
    takes: Takes = Takes.NUMBER
    loose: bool = False
    salt: str = ""
    key: str = field(init=False, compare=False, repr=False)
    read: Callable[[object], Value | None] = field(init=False, compare=False, repr=False)
    """What is remembered of a value; None where it is not of the kind that is taken."""

    def __post_init__(self) -> None:
        """Sorts the names and derives the key.

        Raises:
            ValueError: If there is no name, or a text comes without what it was compiled to.
        """
        compiled = (self.predicate, self.group, self.value)
        texts = (self.where, self.by, self.of)
        if not self.names or any(
            (text is None) != (made is None) for text, made in zip(texts, compiled, strict=True)
        ):
            raise ValueError("a pattern needs names, and a reader exactly where it has a text")
        names = (ANY_EVENT,) if ANY_EVENT in self.names else tuple(sorted(set(self.names)))
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "read", self.takes.read)
        more = [self.by, self.of, self.takes.value, self.loose, self.salt]
        plain = more == [None, None, Takes.NUMBER.value, False, ""]
        text = json.dumps([names, self.where, *([] if plain else more)])
        object.__setattr__(self, "key", hashlib.blake2b(text.encode(), digest_size=6).hexdigest())

    def own(self, salt: str, *, loose: bool = False) -> "Pattern":
        """The same events in a stream apart; `loose` counts only with `by`."""
        return replace(self, salt=salt, loose=loose and self.by is not None)

    def placed(self, event: Event) -> tuple[str | None, Value | None] | None:
        """The group and the value of an event that matches; None where it does not belong here."""
        value: Value | None = None
        if self.value is not None:
            value = self.read(self.value(event))
            if value is None:
                return None
        if self.group is None:
            return None, value
        group = group_of(self.group(event))
        if group is None:
            return (UNGROUPED, value) if self.loose else None
        return group, value

    def named(self) -> str:
        """The names of its events, in words."""
        return " or ".join(self.names) if self.names != (ANY_EVENT,) else "any event"

    def __str__(self) -> str:
        names = self.named()
        where = f" where {self.where}" if self.where else ""
        return f"{names}{where}" + (f" by {self.by}" if self.by else "")
