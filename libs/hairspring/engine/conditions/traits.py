"""`profile`, `date` and `anniversary`: what the profile's traits say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any as Anything

from hairspring.engine import calendar
from hairspring.engine.conditions.base import Condition, Finding
from hairspring.engine.durations import words
from hairspring.engine.events import TraitPredicate
from hairspring.engine.state import ProfileState
from hairspring.engine.verdict import Verdict, earliest

#: Names the traits that an expression reads and that are not set.
Unset = Callable[[Mapping[str, Anything]], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits(Condition):
    """Holds when an expression over the traits is true; one that fails does not hold."""

    text: str
    predicate: TraitPredicate = field(compare=False, repr=False)
    unset: Unset = field(compare=False, repr=False)

    keyword = "profile"
    reads_traits = True

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Changes only when traits do."""
        return Verdict(self.predicate(profile.current_traits()))

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Says which traits are not set."""
        traits = profile.current_traits()
        if self.predicate(traits):
            return Finding(detail="is true")
        unset = self.unset(traits)
        return Finding(detail=f"not set: {', '.join(unset)}" if unset else "is not true")

    def __str__(self) -> str:
        return f"profile: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Date(Condition):
    """Holds while trait + `begin` <= t < trait + `end` (milliseconds, signed)."""

    trait: str
    begin: int
    end: int

    keyword = "date"
    reads_traits = True

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Turns at both ends."""
        at = calendar.moment(profile.trait(self.trait))
        if at is None or t >= at + self.end:
            return Verdict(False)
        if t < at + self.begin:
            return Verdict(False, at + self.begin)
        return Verdict(True, at + self.end)

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Says what the trait is."""
        value = profile.trait(self.trait)
        if calendar.moment(value) is None:
            return Finding(detail=_unreadable(self.trait, value))
        return Finding(detail=f"traits.{self.trait} is {value}")

    def __str__(self) -> str:
        return f"date traits.{self.trait} from {words(self.begin)} until {words(self.end)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anniversary(Condition):
    """As `Date`, for the trait's day and month in each year, from local midnight.

    `timezone` is a zone of the IANA database; `timezone_trait` names a trait that holds one, and
    where it does not, `timezone` counts.
    """

    trait: str
    begin: int
    end: int
    timezone: str = "UTC"
    timezone_trait: str | None = None

    keyword = "anniversary"
    reads_traits = True

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Turns at both ends of this, the last and the next year's day."""
        day = calendar.day_of(profile.trait(self.trait))
        if day is None:
            return Verdict(False)
        spans = [
            (at + self.begin, at + self.end)
            for at in calendar.anniversaries(day, self._zone(profile), t)
        ]
        ends = [end for begin, end in spans if begin <= t < end]
        if ends:
            return Verdict(True, max(ends))
        return Verdict(False, earliest(begin for begin, _ in spans if begin > t))

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Says what the trait is, and the zone."""
        value = profile.trait(self.trait)
        if calendar.day_of(value) is None:
            return Finding(detail=_unreadable(self.trait, value))
        return Finding(detail=f"traits.{self.trait} is {value}, in {self._zone(profile)}")

    def __str__(self) -> str:
        return (
            f"anniversary of traits.{self.trait} from {words(self.begin)} until {words(self.end)}"
        )

    def _zone(self, profile: ProfileState) -> str:
        if self.timezone_trait is not None:
            named = profile.trait(self.timezone_trait)
            if isinstance(named, str) and calendar.is_zone(named):
                return named
        return self.timezone


def _unreadable(trait: str, value: object) -> str:
    return f"traits.{trait} is not set" if value is None else f"traits.{trait} is no date: {value}"
