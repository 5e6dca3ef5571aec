"""`performed`: the number of matching events compares so."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from hairspring.engine.conditions.base import MOVED, Finding, Reading, Unmoved, latest_events
from hairspring.engine.conditions.comparison import AT_LEAST_ONCE, Comparison
from hairspring.engine.conditions.grouped import Grouped
from hairspring.engine.durations import words
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import Pattern, Run
from hairspring.engine.verdict import FAILS, HOLDS, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed(Grouped):
    """Counts matching events, within a window (t - within, t] and after the last `since` event.

    `within` is in milliseconds. "After" is by the profile's order, so an event of the same
    millisecond counts when it was accepted later. The latest events up to one more than the number
    asked for decide every comparison, so that no more of them are remembered.
    """

    pattern: Pattern
    times: Comparison = AT_LEAST_ONCE
    within: int | None = None
    since: Pattern | None = None

    keyword = "performed"

    def __post_init__(self) -> None:
        """Lets `since` events that name no group concern every group."""
        if self.since is not None:
            object.__setattr__(self, "since", self.since.own(self.since.salt, loose=True))

    def judge(self, profile: ProfileState, t: int, group: str | None, run: Run) -> Verdict:
        """Holds while the count compares so; changes when an event slides out of the window."""
        count = len(run.times) - self._first(profile, run, t, group)
        holds = self.times.holds(count)
        turning = None if self.within is None else self.times.next_below(count)
        if turning is None or self.within is None:
            return HOLDS if holds else FAILS
        return Verdict(holds, run.times[len(run.times) - 1 - turning] + self.within)

    def find(self, profile: ProfileState, t: int, group: str | None, run: Run) -> Finding:
        """Names the count, what is missing of it, and the events that decide it."""
        first = self._first(profile, run, t, group)
        count, deciding = len(run.times) - first, self.times.deciding
        counted = f"{count} counted" if count <= deciding else f"more than {deciding} counted"
        missing = self.times.missing(count)
        if missing:
            names = self.pattern.named()
            detail = f"{count} of {count + missing} {names}, {missing} more needed"
        else:
            detail = f"{counted}, asked for {self.times}"
        return Finding(
            detail=detail,
            events=latest_events(run, max(first, len(run.times) - deciding), len(run.times)),
        )

    def unmoved(self, pattern: Pattern) -> Unmoved:
        """A count that is high enough, or too high, stays so with one more."""
        if pattern != self.pattern or pattern == self.since:
            return MOVED
        if self.times.operator in (">=", ">"):
            return Unmoved(holding=True)
        return Unmoved(failing=True, pending=True) if self.times.operator in ("<", "<=") else MOVED

    def __str__(self) -> str:
        within = f", within {words(self.within)}" if self.within is not None else ""
        since = f", since {self.since}" if self.since is not None else ""
        return f"performed {self.pattern} {self.times} times{within}{since}"

    def reads(self) -> Iterator[Reading]:
        """The counted events and those that the count starts anew from."""
        remembered = self.times.number + 2
        yield Reading(pattern=self.pattern, window=self.within, latest=remembered)
        if self.since is not None:
            yield Reading(pattern=self.since, latest=1)

    def _first(self, profile: ProfileState, run: Run, t: int, group: str | None) -> int:
        first = 0 if self.within is None else bisect_right(run.times, t - self.within)
        if self.since is not None and (last := profile.last(self.since, group)) is not None:
            first = max(first, run.after(*last))
        return first
