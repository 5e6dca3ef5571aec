"""`abandoned`: something was started and not ended in time."""

from collections.abc import Iterator
from dataclasses import dataclass

from hairspring.engine.conditions.base import Condition, Finding, latest_events
from hairspring.engine.durations import words
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import Pattern, Run
from hairspring.engine.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned(Condition):
    """Episodes of starts (`pattern`) and ends (`unless`), by event time.

    A start opens an episode with the deadline `time + after` (milliseconds); with `restart`, a
    further start up to the deadline moves it. An end up to the deadline completes the episode;
    without one it is abandoned at the deadline, and that holds until the next end or start.
    At one millisecond starts come before ends, so after an end at e only later starts matter.
    """

    pattern: Pattern
    unless: Pattern
    after: int
    restart: bool = True

    keyword = "abandoned"

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Holds from the deadline of the latest episode on, unless it has ended."""
        run = profile.run(self.pattern.key)
        first = self._first_open(profile, run)
        if first == len(run):
            return Verdict(False)
        deadline = self._deadline(run, first)
        return Verdict(True) if t >= deadline else Verdict(False, deadline)

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Names the starts of the latest episode."""
        run = profile.run(self.pattern.key)
        first = self._first_open(profile, run)
        if first == len(run):
            detail = "ended in time" if len(run) else "never started"
            ends = profile.run(self.unless.key)
            return Finding(detail=detail, events=latest_events(ends, len(ends) - 1, len(ends)))
        late = t >= self._deadline(run, first)
        detail = "not ended in time" if late else "started, can still be ended in time"
        opening = self._chained(run, first) if self.restart else self._jumped(run, first)
        return Finding(detail=detail, events=latest_events(run, opening, len(run)))

    def __str__(self) -> str:
        return f"abandoned {self.pattern}, unless {self.unless}, after {words(self.after)}"

    def patterns(self) -> Iterator[Pattern]:
        """The starts and the ends."""
        yield self.pattern
        yield self.unless

    def _first_open(self, profile: ProfileState, starts: Run) -> int:
        """The index of the first start that no end has closed."""
        ends = profile.run(self.unless.key)
        return starts.first_after(ends.times[-1]) if len(ends) else 0

    def _deadline(self, starts: Run, first: int) -> int:
        """When the latest episode is abandoned: with `restart` only its last start matters."""
        opening = len(starts) - 1 if self.restart else self._jumped(starts, first)
        return starts.times[opening] + self.after

    def _chained(self, starts: Run, first: int) -> int:
        """With `restart`, an episode goes back as long as the gaps are no longer than `after`."""
        times, index = starts.times, len(starts) - 1
        while index > first and times[index] - times[index - 1] <= self.after:
            index -= 1
        return index

    def _jumped(self, starts: Run, first: int) -> int:
        """Without `restart`, each episode takes the starts up to its deadline."""
        following = starts.first_after(starts.times[first] + self.after)
        while following < len(starts):
            first = following
            following = starts.first_after(starts.times[first] + self.after)
        return first
