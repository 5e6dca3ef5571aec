"""Forgetting: what no answer at the clock or later can need any more."""

from collections.abc import Iterable
from dataclasses import dataclass

from hairspring.engine.conditions.base import Condition, Reading
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import Pattern, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What has to be remembered of one stream, by all who read it.

    `window` is in milliseconds; `owners` have rules of their own, for streams that only they read.
    """

    pattern: Pattern
    window: int | None
    latest: int | None
    owners: tuple[Condition, ...]

    def trim(self, profile: ProfileState, clock: int, floor: int | None) -> None:
        """Forgets by window, by number, and beyond `floor`: no older event can come any more."""
        if self.pattern.by is None:
            run = profile.streams.get(self.pattern.key)
            if run is not None:
                self._trim(run, clock)
        else:
            for run in profile.keyed.get(self.pattern.key, {}).values():
                self._trim(run, clock)
        if floor is not None:
            for owner in self.owners:
                owner.trim(profile, floor)
        if self.pattern.by is not None:
            _drop_empty(profile, self.pattern)

    def _trim(self, run: Run, clock: int) -> None:
        times, count = run.times, 0
        if self.latest is not None:
            count = len(times) - self.latest
        if self.window is not None and times and times[0] <= clock - self.window:
            count = max(count, run.first_after(clock - self.window))
        if count > 0:
            run.forget(count)


def memory(readings: Iterable[tuple[Condition, Reading]]) -> Memory:
    """Joins what several conditions need of one stream."""
    given = list(readings)
    windows = [reading.window for _, reading in given]
    numbers = [reading.latest for _, reading in given]
    owners: dict[str, Condition] = {}
    for condition, _ in given:
        if type(condition).trim is not Condition.trim:
            owners.setdefault(repr(condition), condition)
    return Memory(
        pattern=given[0][1].pattern,
        window=None if None in windows else max(w for w in windows if w is not None),
        latest=None if None in numbers else max(n for n in numbers if n is not None),
        owners=tuple(owners.values()),
    )


def _drop_empty(profile: ProfileState, pattern: Pattern) -> None:
    runs = profile.keyed.get(pattern.key)
    if runs is None:
        return
    for group in [group for group, run in runs.items() if not run.times]:
        del runs[group]
    if not runs:
        del profile.keyed[pattern.key]
