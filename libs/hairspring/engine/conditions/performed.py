"""`performed`: the number of matching events compares so."""

from collections.abc import Iterator
from dataclasses import dataclass

from hairspring.engine.conditions.base import Condition, Finding, latest_events
from hairspring.engine.conditions.comparison import AT_LEAST_ONCE, Comparison
from hairspring.engine.durations import words
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import Pattern, Run
from hairspring.engine.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed(Condition):
    """Counts matching events, within a window (t - within, t] and after the last `since` event.

    `within` is in milliseconds. "After" is by the profile's order, so an event of the same
    millisecond counts when it was accepted later.
    """

    pattern: Pattern
    times: Comparison = AT_LEAST_ONCE
    within: int | None = None
    since: Pattern | None = None

    keyword = "performed"

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Holds while the count compares so; changes when an event slides out of the window."""
        run = profile.run(self.pattern.key)
        first = self._first(profile, run, t)
        count = len(run) - first
        holds = self.times.holds(count)
        if self.within is None:
            return Verdict(holds)
        turning = self.times.next_below(count)
        if turning is None:
            return Verdict(holds)
        return Verdict(holds, run.times[len(run) - 1 - turning] + self.within)

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Names the count and the events."""
        run = profile.run(self.pattern.key)
        first = self._first(profile, run, t)
        detail = f"{len(run) - first} counted, asked for {self.times}"
        return Finding(detail=detail, events=latest_events(run, first, len(run)))

    def __str__(self) -> str:
        within = f", within {words(self.within)}" if self.within is not None else ""
        since = f", since {self.since}" if self.since is not None else ""
        return f"performed {self.pattern} {self.times} times{within}{since}"

    def patterns(self) -> Iterator[Pattern]:
        """The counted events and those that the count starts anew from."""
        yield self.pattern
        if self.since is not None:
            yield self.since

    def _first(self, profile: ProfileState, run: Run, t: int) -> int:
        first = 0 if self.within is None else run.first_after(t - self.within)
        if self.since is not None and len(last := profile.run(self.since.key)):
            first = max(first, run.after(last.times[-1], last.orders[-1]))
        return first
