"""`abandoned`: something was started and not ended in time."""

from collections.abc import Iterator
from dataclasses import dataclass

from hairspring.engine.conditions.base import (
    MOST_EVIDENCE,
    MOVED,
    Finding,
    Reading,
    Unmoved,
    latest_events,
)
from hairspring.engine.conditions.grouped import Grouped
from hairspring.engine.durations import words
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import Pattern, Run, salt_of
from hairspring.engine.verdict import FAILS, HOLDS, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned(Grouped):
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

    def __post_init__(self) -> None:
        """Takes streams of its own where the horizon decides what is remembered."""
        if self.pattern.by is not None or not self.restart:
            salt = salt_of("abandoned", self.pattern.key, self.unless.key, self.after, self.restart)
            object.__setattr__(self, "pattern", self.pattern.own(salt))
            object.__setattr__(self, "unless", self.unless.own(salt, loose=True))

    def judge(self, profile: ProfileState, t: int, group: str | None, run: Run) -> Verdict:
        """Holds from the deadline of the latest episode on, unless it has ended."""
        first = self._first_open(profile, group, run)
        if first == len(run.times):
            return FAILS
        deadline = self._deadline(run, first)
        return HOLDS if t >= deadline else Verdict(False, deadline)

    def find(self, profile: ProfileState, t: int, group: str | None, run: Run) -> Finding:
        """Names the starts of the latest episode."""
        first = self._first_open(profile, group, run)
        if first == len(run.times):
            end = profile.last(self.unless, group)
            detail = "ended in time" if run.times else "never started"
            return Finding(detail=detail, events=() if end is None else (end,))
        late = t >= self._deadline(run, first)
        detail = "not ended in time" if late else "started, can still be ended in time"
        opening = self._chained(run, first) if self.restart else self._jumped(run, first)
        return Finding(detail=detail, events=latest_events(run, opening, len(run.times)))

    def unmoved(self, pattern: Pattern) -> Unmoved:
        """A start puts off what is pending; an end is judged where it may free a moment."""
        if self.pattern == self.unless:
            return MOVED
        return Unmoved(pending=True) if pattern == self.pattern else Unmoved(failing=True)

    def __str__(self) -> str:
        return f"abandoned {self.pattern}, unless {self.unless}, after {words(self.after)}"

    def reads(self) -> Iterator[Reading]:
        """The starts and the ends."""
        yield Reading(pattern=self.pattern, latest=MOST_EVIDENCE if self.restart else None)
        yield Reading(pattern=self.unless, latest=1)

    def trim(self, profile: ProfileState, floor: int) -> None:
        """Forgets groups that are over, and episodes before the latest one beyond the horizon."""
        if self.pattern.by is None:
            if not self.restart:  # else the streams are shared, and bounded by number
                self._trim(profile, None, profile.run(self.pattern.key), floor)
            return
        runs = profile.keyed.get(self.pattern.key, {})
        ends = profile.keyed.get(self.unless.key, {})
        for group in list(self.groups(profile)):
            self._trim(profile, group, runs[group], floor)
            if not runs[group].times:
                del runs[group]
        for group, run in list(ends.items()):
            if group not in runs and run.times[-1] < floor:
                del ends[group]

    def _trim(self, profile: ProfileState, group: str | None, run: Run, floor: int) -> None:
        end = profile.last(self.unless, group)
        if end is not None:  # what it has closed stays closed, whatever comes late
            run.forget(min(run.first_after(end[0]), run.first_at(floor)))
        if not self.restart and run.times:
            first = self._first_open(profile, group, run)
            run.forget(self._jumped(run, first, before=floor) if first < len(run.times) else 0)

    def _first_open(self, profile: ProfileState, group: str | None, starts: Run) -> int:
        """The index of the first start that no end has closed."""
        end = profile.last_time(self.unless, group)
        return starts.first_after(end) if end is not None else 0

    def _deadline(self, starts: Run, first: int) -> int:
        """When the latest episode is abandoned: with `restart` only its last start matters."""
        opening = len(starts.times) - 1 if self.restart else self._jumped(starts, first)
        return starts.times[opening] + self.after

    def _chained(self, starts: Run, first: int) -> int:
        """With `restart`, an episode goes back as long as the gaps are no longer than `after`."""
        times, index = starts.times, len(starts.times) - 1
        while index > first and times[index] - times[index - 1] <= self.after:
            index -= 1
        return index

    def _jumped(self, starts: Run, first: int, before: int | None = None) -> int:
        """Without `restart`, each episode takes the starts up to its deadline.

        The index of the start that opens the last one (of those before a moment).
        """
        following = starts.first_after(starts.times[first] + self.after)
        while following < len(starts.times):
            if before is not None and starts.times[following] >= before:
                break
            first = following
            following = starts.first_after(starts.times[first] + self.after)
        return first
