"""`inactive`: it happened, and not again for so long."""

from collections.abc import Iterator
from dataclasses import dataclass

from hairspring.engine.conditions.base import Condition, Finding, Reading, Unmoved
from hairspring.engine.durations import words
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import Pattern
from hairspring.engine.verdict import FAILS, HOLDS, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Inactive(Condition):
    """Holds from `wait` (milliseconds) after the last matching event on, until the next one."""

    pattern: Pattern
    wait: int

    keyword = "inactive"

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Turns true when the wait is over."""
        run = profile.streams.get(self.pattern.key)
        if run is None or not run.times:
            return FAILS
        over = run.times[-1] + self.wait
        return HOLDS if over <= t else Verdict(False, over)

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Names the last event and how long ago it was."""
        last = profile.run(self.pattern.key).last()
        if last is None:
            return Finding(detail="never happened")
        return Finding(
            detail=f"last {words(t - last[0])} ago, asked for {words(self.wait)}", events=(last,)
        )

    def unmoved(self, pattern: Pattern) -> Unmoved:
        """What begins to wait anew goes on failing."""
        return Unmoved(pending=True)

    def __str__(self) -> str:
        return f"inactive for {words(self.wait)} since {self.pattern}"

    def reads(self) -> Iterator[Reading]:
        """The events of which the last one counts."""
        yield Reading(pattern=self.pattern, latest=1)
