"""Conditions that are judged for a profile as a whole or, with `by`, for each group of events."""

from abc import abstractmethod
from collections.abc import Mapping

from hairspring.engine.conditions.base import MOST_EVIDENCE, Condition, Finding, bounded
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import EMPTY, Pattern, Reference, Run
from hairspring.engine.verdict import Verdict, earliest, latest


class Grouped(Condition):
    """Holds when it holds for at least one group of its `pattern`'s events."""

    __slots__ = ()

    pattern: Pattern

    @abstractmethod
    def judge(self, profile: ProfileState, t: int, group: str | None, run: Run) -> Verdict:
        """The verdict for one group, or (group None) for a profile as a whole."""

    @abstractmethod
    def find(self, profile: ProfileState, t: int, group: str | None, run: Run) -> Finding:
        """What there is to say of one group, or of a profile as a whole."""

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Stays while it holds for one group, or while no group changes its answer."""
        pattern = self.pattern
        if pattern.by is None:
            return self.judge(profile, t, None, profile.streams.get(pattern.key, EMPTY))
        holding: list[Verdict] = []
        failing: list[Verdict] = []
        for group, run in self.groups(profile).items():
            verdict = self.judge(profile, t, group, run)
            (holding if verdict.holds else failing).append(verdict)
        if holding:
            return Verdict(True, latest(holding))
        return Verdict(False, earliest(verdict.until for verdict in failing))

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Names what the groups that hold have, or what the group of the latest event lacks."""
        if self.pattern.by is None:
            return self.find(profile, t, None, profile.run(self.pattern.key))
        groups = self.groups(profile)
        holding = [
            group for group, run in groups.items() if self.judge(profile, t, group, run).holds
        ]
        if not holding:
            return self._nearest(profile, t, groups)
        found = [self.find(profile, t, group, groups[group]) for group in sorted(holding)]
        detail = f"{self.pattern.by} {sorted(holding)[0]}: {found[0].detail}"
        if len(holding) > 1:
            detail += f", and {len(holding) - 1} more"
        return Finding(
            detail=detail,
            events=bounded({event for one in found for event in one.events}),
            groups=tuple(sorted(holding)[:MOST_EVIDENCE]),
        )

    def groups(self, profile: ProfileState) -> Mapping[str, Run]:
        """The runs of the events that start it, by group."""
        return profile.runs(self.pattern.key)

    def latest(self, profile: ProfileState, group: str) -> Reference | None:
        """The latest of the events that start it in a group."""
        return profile.group_run(self.pattern, group).last()

    def _nearest(self, profile: ProfileState, t: int, groups: Mapping[str, Run]) -> Finding:
        there = {group: self.latest(profile, group) for group in groups}
        known = [(last, group) for group, last in there.items() if last is not None]
        if not known:
            return Finding(detail=f"no event with {self.pattern.by} is remembered")
        _, group = max(known)
        found = self.find(profile, t, group, groups[group])
        return Finding(detail=f"{self.pattern.by} {group}: {found.detail}", events=found.events)
