"""`sequence`: one thing after another."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hairspring.engine.conditions.base import Finding, Reading, Unmoved
from hairspring.engine.conditions.grouped import Grouped
from hairspring.engine.durations import words
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import EMPTY, Pattern, Reference, Run, salt_of
from hairspring.engine.verdict import FAILS, Verdict

Chain = tuple[Reference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence(Grouped):
    """Events that match the steps, each strictly after the one before in the profile's order.

    With `within` (milliseconds) the last is at most so much later than the first; with `recent`,
    t - last < recent. A chain is found from its end: the latest event of each step before the next
    one has the most before it and lies nearest, so that no other choice can be better.
    """

    steps: tuple[Pattern, ...]
    within: int | None = None
    recent: int | None = None
    pattern: Pattern = field(init=False, compare=False, repr=False)
    """The last step, whose groups are judged."""

    keyword = "sequence"

    def __post_init__(self) -> None:
        """Takes streams of its own where the horizon decides what is remembered."""
        if self.within is None or self.recent is None:
            salt = salt_of("sequence", *(step.key for step in self.steps), self.within, self.recent)
            object.__setattr__(self, "steps", tuple(step.own(salt) for step in self.steps))
        object.__setattr__(self, "pattern", self.steps[-1])

    def judge(self, profile: ProfileState, t: int, group: str | None, run: Run) -> Verdict:
        """Holds once there is a chain and, with `recent`, until its end is too long ago."""
        chain = self._chain(profile, group, run, t)
        if chain is None:
            return FAILS
        return Verdict(True, None if self.recent is None else chain[-1][0] + self.recent)

    def find(self, profile: ProfileState, t: int, group: str | None, run: Run) -> Finding:
        """Names the chain, or how far the steps have come that can still be continued."""
        chain = self._chain(profile, group, run, t)
        if chain is not None:
            return Finding(detail=f"{len(chain)} of {len(self.steps)} steps", events=chain)
        for count in range(len(self.steps) - 1, 0, -1):
            before = self._runs(profile, group)[:count]
            begun = _chain_to(before, len(before[-1].times) - 1)
            if begun is not None and (self.within is None or t - begun[0][0] <= self.within):
                return Finding(detail=f"{count} of {len(self.steps)} steps", events=begun)
        return Finding(detail=f"0 of {len(self.steps)} steps")

    def groups(self, profile: ProfileState) -> Mapping[str, Run]:
        """The groups of any step, each with its run of the last one."""
        last = profile.runs(self.pattern.key)
        every = {group for step in self.steps for group in profile.runs(step.key)}
        return {group: last.get(group, EMPTY) for group in every}

    def latest(self, profile: ProfileState, group: str) -> Reference | None:
        """The latest event of any step in a group."""
        ends = (profile.group_run(step, group).last() for step in self.steps)
        return max((end for end in ends if end is not None), default=None)

    def unmoved(self, pattern: Pattern) -> Unmoved:
        """A chain that is there stays the best but for a later one; only a last step ends one."""
        return Unmoved(failing=pattern != self.pattern, holding=True)

    def __str__(self) -> str:
        within = f", within {words(self.within)}" if self.within is not None else ""
        recent = f", the last less than {words(self.recent)} ago" if self.recent else ""
        return " then ".join(str(step) for step in self.steps) + within + recent

    def reads(self) -> Iterator[Reading]:
        """The steps. With `within` and `recent`, both together bound what can still count."""
        window = None
        if self.within is not None and self.recent is not None:
            window = self.within + self.recent
        for step in self.steps:
            yield Reading(pattern=step, window=window)

    def trim(self, profile: ProfileState, floor: int) -> None:
        """Forgets what lies beyond the horizon, but for the chains that can still be continued."""
        if self.within is not None and self.recent is not None:
            return
        groups = [None] if self.pattern.by is None else list(self.groups(profile))
        for group in groups:
            self._trim(profile, group, floor)

    def _trim(self, profile: ProfileState, group: str | None, floor: int) -> None:
        runs = self._runs(profile, group)
        done = self._chain(profile, group, runs[-1], floor)
        if self.recent is None and done is not None and done[-1][0] < floor:
            for run in _distinct(runs):
                run.keep(set(done), done[-1][0] + 1)
                run.forget_after(done[-1][0])
            return
        wanted: set[Reference] = set()
        for count in range(1, len(runs) + (self.recent is not None)):
            stop = runs[count - 1].first_at(floor)
            wanted.update(_chain_to(runs[:count], stop - 1) or ())
        for run in _distinct(runs):
            run.keep(wanted, floor)

    def _runs(self, profile: ProfileState, group: str | None) -> list[Run]:
        if group is None:
            return [profile.streams.get(step.key, EMPTY) for step in self.steps]
        return [profile.group_run(step, group) for step in self.steps]

    def _chain(self, profile: ProfileState, group: str | None, run: Run, t: int) -> Chain | None:
        """The latest chain; without `recent`, the one that was complete first."""
        if self.recent is None:
            return self._first_chain(self._runs(profile, group))
        index, times, since = len(run.times) - 1, run.times, t - self.recent
        if index < 0 or times[index] <= since:
            return None
        runs = self._runs(profile, group)
        while index >= 0 and times[index] > since:
            begun = _begun(runs, index)
            if begun is None:
                return None
            if self.within is None or times[index] - begun <= self.within:
                return _chain_to(runs, index)
            # What ends before began no later, so it has to have ended in time for this beginning.
            index = bisect_right(times, begun + self.within) - 1
        return None

    def _first_chain(self, runs: list[Run]) -> Chain | None:
        last = runs[-1]
        earliest = _greedy(runs[:-1])
        if earliest is None:
            return None
        for index in range(last.after(*earliest), len(last.times)):
            chain = _chain_to(runs, index)
            if chain is not None and self._is_short(chain):
                return chain
        return None

    def _is_short(self, chain: Chain) -> bool:
        return self.within is None or chain[-1][0] - chain[0][0] <= self.within


def _distinct(runs: list[Run]) -> list[Run]:
    """Each run once; steps of one pattern share theirs."""
    return list({id(run): run for run in runs}.values())


def _chain_to(runs: list[Run], index: int) -> Chain | None:
    """The latest chain that ends with the event at an index of the last run."""
    if index < 0:
        return None
    run = runs[-1]
    here = (run.times[index], run.orders[index])
    chain = [here]
    for earlier in reversed(runs[:-1]):
        index = earlier.before(*here)
        if index < 0:
            return None
        here = (earlier.times[index], earlier.orders[index])
        chain.append(here)
    return tuple(reversed(chain))


def _begun(runs: list[Run], index: int) -> int | None:
    """When the first event of that chain happened; what most often is all that is asked."""
    time, order = runs[-1].times[index], runs[-1].orders[index]
    for earlier in runs[-2::-1]:
        times = earlier.times
        index = bisect_left(times, time)
        if index < len(times) and times[index] == time:
            index = earlier.before(time, order)
        else:
            index -= 1
        if index < 0:
            return None
        time, order = times[index], earlier.orders[index]
    return time


def _greedy(runs: list[Run]) -> Reference | None:
    """Where the earliest chain ends."""
    here: Reference | None = None
    for run in runs:
        index = 0 if here is None else run.after(*here)
        if index >= len(run.times):
            return None
        here = (run.times[index], run.orders[index])
    return here
