"""`all`, `any` and `not`."""

from collections.abc import Iterable
from dataclasses import dataclass

from hairspring.engine.conditions.base import Condition, Finding, Unmoved, walk
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import Pattern
from hairspring.engine.verdict import Verdict, earliest, latest


def _unmoved(parts: Iterable[Condition], pattern: Pattern) -> Unmoved:
    """What stands whichever of the parts that read the stream fail, hold or wait."""
    found = [part.unmoved(pattern) for part in parts if _reads(part, pattern)]
    fails = all(one.failing and one.pending for one in found)
    return Unmoved(
        failing=fails,
        pending=fails,
        holding=all(one.holding for one in found),
        from_zero=any(one.from_zero for one in found),
    )


def _reads(condition: Condition, pattern: Pattern) -> bool:
    return any(pattern in part.patterns() for _, part in walk(condition, ""))


@dataclass(frozen=True, slots=True)
class All(Condition):
    """Holds when all of its conditions do."""

    conditions: tuple[Condition, ...]

    keyword = "all"

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Stays while all hold, or while those that fail go on failing."""
        verdicts = [condition.verdict(profile, t) for condition in self.conditions]
        failing = [verdict for verdict in verdicts if not verdict.holds]
        if failing:
            return Verdict(False, latest(failing))
        return Verdict(True, earliest(verdict.until for verdict in verdicts))

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Counts those that hold."""
        holding = sum(condition.verdict(profile, t).holds for condition in self.conditions)
        return Finding(detail=f"{holding} of {len(self.conditions)} hold, all are needed")

    def unmoved(self, pattern: Pattern) -> Unmoved:
        """What stands in all of its parts."""
        return _unmoved(self.conditions, pattern)

    def __str__(self) -> str:
        return "all of"

    def parts(self) -> tuple[tuple[str, Condition], ...]:
        """The conditions, numbered."""
        return _numbered(self.conditions)


@dataclass(frozen=True, slots=True)
class Any(Condition):
    """Holds when at least one of its conditions does."""

    conditions: tuple[Condition, ...]

    keyword = "any"

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Stays while one holds, or while all go on failing."""
        verdicts = [condition.verdict(profile, t) for condition in self.conditions]
        holding = [verdict for verdict in verdicts if verdict.holds]
        if holding:
            return Verdict(True, latest(holding))
        return Verdict(False, earliest(verdict.until for verdict in verdicts))

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Counts those that hold."""
        holding = sum(condition.verdict(profile, t).holds for condition in self.conditions)
        return Finding(detail=f"{holding} of {len(self.conditions)} hold, one is needed")

    def unmoved(self, pattern: Pattern) -> Unmoved:
        """What stands in all of its parts."""
        return _unmoved(self.conditions, pattern)

    def __str__(self) -> str:
        return "any of"

    def parts(self) -> tuple[tuple[str, Condition], ...]:
        """The conditions, numbered."""
        return _numbered(self.conditions)


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """Holds when its condition does not."""

    condition: Condition

    keyword = "not"

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Changes when its condition does."""
        holds, until = self.condition.verdict(profile, t)
        return Verdict(not holds, until)

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Tells how its condition stands."""
        holds = self.condition.verdict(profile, t).holds
        return Finding(detail="its condition holds" if holds else "its condition does not hold")

    def unmoved(self, pattern: Pattern) -> Unmoved:
        """It holds while its condition fails."""
        found = self.condition.unmoved(pattern)
        return found._replace(
            failing=found.holding, pending=found.holding, holding=found.failing and found.pending
        )

    def __str__(self) -> str:
        return "not"

    def parts(self) -> tuple[tuple[str, Condition], ...]:
        """The one condition."""
        return (("", self.condition),)


def _numbered(conditions: tuple[Condition, ...]) -> tuple[tuple[str, Condition], ...]:
    return tuple((f"[{index}]", condition) for index, condition in enumerate(conditions))
