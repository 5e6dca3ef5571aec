"""`aggregate`: a sum, an average, an extreme, an end, or a count of distinct values compares so."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate
from typing import Any, cast

from hairspring.engine.conditions.base import MOVED, Finding, Reading, Unmoved, latest_events
from hairspring.engine.conditions.comparison import Threshold
from hairspring.engine.conditions.grouped import Grouped
from hairspring.engine.durations import words
from hairspring.engine.folded import Folded, exact_sum, grown
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import EMPTY, Pattern, Run, Value, salt_of
from hairspring.engine.values import UNGROUPED
from hairspring.engine.verdict import FAILS, HOLDS, Verdict

_NOTHING = Folded()


class Function(Enum):
    """What can be made of values."""

    SUM = "sum"  #: Their correctly rounded sum.
    AVG = "avg"  #: That sum, divided by how many there are.
    MIN = "min"  #: The least.
    MAX = "max"  #: The most.
    FIRST = "first"  #: The earliest.
    LAST = "last"  #: The latest.
    COUNT_DISTINCT = "count_distinct"  #: How many different ones.


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Grouped):
    """Compares what `fn` makes of the values of matching events, chosen as in `performed`.

    Without `within` (milliseconds), values beyond the horizon are folded: their exact sum, their
    extremes, their ends, and as many distinct ones as the comparison can tell apart.
    """

    pattern: Pattern
    fn: Function
    limit: Threshold
    within: int | None = None
    since: Pattern | None = None
    made: Callable[[Sequence[Value], Folded], Value | None] = field(
        init=False, compare=False, repr=False
    )
    """What `fn` makes of some values, or of folded ones."""

    keyword = "aggregate"

    def __post_init__(self) -> None:
        """Takes a stream of its own where values are folded."""
        object.__setattr__(self, "made", _MADE.get(self.fn))
        if self.since is not None:
            object.__setattr__(self, "since", self.since.own(self.since.salt, loose=True))
        if self.within is None:
            since = None if self.since is None else self.since.key
            most = self._most_distinct() if self.fn is Function.COUNT_DISTINCT else None
            salt = salt_of("folded", since, self.fn.value, most)  # each folds in its own way
            object.__setattr__(self, "pattern", self.pattern.own(salt))

    def judge(self, profile: ProfileState, t: int, group: str | None, run: Run) -> Verdict:
        """Turns when a value that matters slides out of the window."""
        first = self._first(profile, run, t, group)
        values: Sequence[Value] = run.values or ()
        if first:
            values = values[first:]
        folded = _NOTHING if self.within is not None else self._folded(profile, group)
        holds = self._answers(values, folded, grouped=group is not None)
        if self.within is None or not values or self._stays(values, holds):
            return HOLDS if holds else FAILS
        turning = self._turning(run.times[first:], values, holds, grouped=group is not None)
        return Verdict(holds, None if turning is None else turning + self.within)

    def find(self, profile: ProfileState, t: int, group: str | None, run: Run) -> Finding:
        """Names the value, and the events that have a part in it."""
        first = self._first(profile, run, t, group)
        folded = _NOTHING if self.within is not None else self._folded(profile, group)
        value = self._value((run.values or [])[first:], folded)
        shown = "no value" if value is None else f"{self.fn.value} is {_written(value)}"
        before = f", with {folded.count} values beyond the horizon" if folded.count else ""
        return Finding(
            detail=f"{shown}, asked for {self.limit}{before}",
            events=latest_events(run, first, len(run.times)),
        )

    def groups(self, profile: ProfileState) -> Mapping[str, Run]:
        """The groups that have values, folded or not."""
        runs = profile.runs(self.pattern.key)
        folded = profile.folded.get(self.pattern.key)
        return {**dict.fromkeys(folded, EMPTY), **runs} if folded else runs

    def unmoved(self, pattern: Pattern) -> Unmoved:
        """What is high enough stays so where one more value cannot lower it."""
        if pattern != self.pattern or pattern == self.since:
            return MOVED
        if self.limit.operator not in (">=", ">"):
            return MOVED
        if self.fn is Function.SUM:
            return Unmoved(holding=True, from_zero=True)
        return Unmoved(holding=self.fn in (Function.MAX, Function.COUNT_DISTINCT))

    def __str__(self) -> str:
        within = f", within {words(self.within)}" if self.within is not None else ""
        since = f", since {self.since}" if self.since is not None else ""
        return f"{self.fn.value} of {self.pattern.of} of {self.pattern} {self.limit}{within}{since}"

    def reads(self) -> Iterator[Reading]:
        """The events with values, and those that it starts anew from."""
        yield Reading(pattern=self.pattern, window=self.within)
        if self.since is not None:
            yield Reading(pattern=self.since, latest=1)

    def trim(self, profile: ProfileState, floor: int) -> None:
        """Folds what lies beyond the horizon, and forgets what a `since` event has cut off."""
        if self.within is not None:
            return
        if self.pattern.by is None:
            self._fold(profile, None, profile.run(self.pattern.key), floor)
            return
        for group, run in profile.keyed.get(self.pattern.key, {}).items():
            self._fold(profile, group, run, floor)
        self._forget_cut_off(profile)

    def _fold(self, profile: ProfileState, group: str | None, run: Run, floor: int) -> None:
        kept = profile.folded.get(self.pattern.key, {}).get(group or UNGROUPED)
        if self.since is not None and (last := profile.last(self.since, group)) is not None:
            run.forget(run.after(*last))
            if kept is not None and kept.upto < last:
                del profile.folded[self.pattern.key][group or UNGROUPED]
                kept = None
        count = run.first_at(floor)
        if count == 0:
            return
        upto = (run.times[count - 1], run.orders[count - 1])
        folded = self._joined(kept, (run.values or [])[:count], upto)
        profile.folded.setdefault(self.pattern.key, {})[group or UNGROUPED] = folded
        run.forget(count)

    def _forget_cut_off(self, profile: ProfileState) -> None:
        """Drops what was folded of groups that have no run any more and were cut off since."""
        folded = profile.folded.get(self.pattern.key, {})
        for group, kept in list(folded.items()):
            last = profile.last(self.since, group) if self.since is not None else None
            if last is not None and kept.upto < last:
                del folded[group]

    def _joined(
        self, kept: Folded | None, values: Sequence[Value], upto: tuple[int, int]
    ) -> Folded:
        before = kept or _NOTHING
        after = Folded(count=before.count + len(values), upto=upto)
        after.first = before.first if before.count else values[0]
        after.last = values[-1]
        numbers = _numbers(values)
        match self.fn:
            case Function.SUM | Function.AVG:
                after.partials = before.partials
                for number in numbers:
                    after.partials = grown(after.partials, number)
            case Function.MIN | Function.MAX:
                extremes = (*numbers, *(v for v in (before.least, before.most) if v is not None))
                after.least, after.most = min(extremes), max(extremes)
            case Function.COUNT_DISTINCT:
                known = dict.fromkeys((*before.distinct, *map(str, values)))
                after.distinct = list(known)[: self._most_distinct()]
            case Function.FIRST | Function.LAST:
                pass
        return after

    def _most_distinct(self) -> int:
        """With one more distinct value than asked for, more of them change no answer."""
        return int(max(float(self.limit.value), 0.0)) + 2

    def _first(self, profile: ProfileState, run: Run, t: int, group: str | None) -> int:
        first = 0 if self.within is None else bisect_right(run.times, t - self.within)
        if self.since is not None and (last := profile.last(self.since, group)) is not None:
            first = max(first, run.after(*last))
        return first

    def _folded(self, profile: ProfileState, group: str | None) -> Folded:
        kept = profile.folded.get(self.pattern.key, {}).get(group or UNGROUPED)
        if kept is None:
            return _NOTHING
        last = profile.last(self.since, group) if self.since is not None else None
        return _NOTHING if last is not None and kept.upto < last else kept

    def _answers(self, values: Sequence[Value], folded: Folded, *, grouped: bool) -> bool:
        if grouped and not values and not folded.count:
            return False
        value = self._value(values, folded)
        return value is not None and self.limit.holds(value)

    def _value(self, values: Sequence[Value], folded: Folded = _NOTHING) -> Value | None:
        """What `fn` makes of values; None where it makes nothing of none."""
        if self.fn is Function.COUNT_DISTINCT:
            return float(len({*values, *folded.distinct}))
        if not values and not folded.count:
            return 0.0 if self.fn is Function.SUM else None
        return self.made(values, folded)

    def _turning(
        self, times: Sequence[int], values: Sequence[Value], holds: bool, *, grouped: bool
    ) -> int | None:
        """The time of the event whose leaving can turn the answer first; None if none's does.

        Where an answer may turn back and forth as values leave, the next leaving: that is early,
        never late.
        """
        if self.fn is Function.AVG:
            return times[0]
        if self.fn is Function.SUM:
            if self.limit.operator in ("==", "!=") or _least(values) < 0.0:
                return times[0]
            answers: _Answers = _Sums(self.limit, _numbers(values))
            left = bisect_left(answers, True, 1, len(values), key=lambda found: found != holds)
        else:
            answers = [self.limit.holds(value) for value in self._suffixes(values)]
            left = next((i for i in range(1, len(values)) if answers[i] != holds), len(values))
        if left == len(values) and self._answers((), _NOTHING, grouped=grouped) == holds:
            return None
        return times[left - 1]

    def _stays(self, values: Sequence[Value], holds: bool) -> bool:
        """What falls as values leave, and is too low already, stays so until others come."""
        if holds or self.limit.operator not in (">=", ">"):
            return False
        if self.fn is Function.SUM:
            return _least(values) >= 0.0
        return self.fn in (Function.MAX, Function.COUNT_DISTINCT)

    def _suffixes(self, values: Sequence[Value]) -> list[Value]:
        """What `fn` makes of the values from each index on."""
        match self.fn:
            case Function.FIRST:
                return list(values)
            case Function.LAST:
                return [values[-1]] * len(values)
            case Function.MIN:
                found: list[Value] = list(accumulate(reversed(_numbers(values)), min))
            case Function.MAX:
                found = list(accumulate(reversed(_numbers(values)), max))
            case _:
                seen: set[Value] = set()
                found = [float(len(seen)) for value in reversed(values) if not seen.add(value)]  # type: ignore[func-returns-value]
        return found[::-1]


class _Sums(Sequence[bool]):
    """Whether the sum from each index on satisfies a comparison, found when it is asked for."""

    def __init__(self, limit: Threshold, values: list[float]) -> None:
        self._limit, self._values = limit, values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        return self._limit.holds(exact_sum(self._values[index:]))


_Answers = Sequence[bool]


def _numbers(values: Sequence[Value]) -> list[float]:
    """The values of a stream that takes numbers alone."""
    return cast("list[float]", values)


def _least(values: Sequence[Value]) -> float:
    return min(_numbers(values))


def _sum(values: Sequence[Value], folded: Folded) -> float:
    numbers = _numbers(values)
    return exact_sum([*folded.partials, *numbers] if folded.count else numbers)


_MADE: dict[Function, Callable[[Sequence[Value], Folded], Value | None]] = {
    Function.SUM: _sum,
    Function.AVG: lambda values, folded: _sum(values, folded) / (len(values) + folded.count),
    Function.MIN: lambda values, folded: min(
        (*_numbers(values), *(() if folded.least is None else (folded.least,)))
    ),
    Function.MAX: lambda values, folded: max(
        (*_numbers(values), *(() if folded.most is None else (folded.most,)))
    ),
    Function.FIRST: lambda values, folded: folded.first if folded.count else values[0],
    Function.LAST: lambda values, folded: values[-1] if values else folded.last,
}


def _written(value: Value) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
