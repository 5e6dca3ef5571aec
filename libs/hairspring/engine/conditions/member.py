"""`segment`: the profile is a member of another segment."""

from collections.abc import Iterator
from dataclasses import dataclass

from hairspring.engine.conditions.base import Condition, Finding
from hairspring.engine.state import ProfileState
from hairspring.engine.verdict import Verdict


@dataclass(frozen=True, slots=True)
class InSegment(Condition):
    """Holds while the profile is a member of the segment, which is judged before this one."""

    name: str

    keyword = "segment"

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        """Changes with the other segment, whose own moments make this one judged again."""
        return Verdict(profile.is_member(self.name))

    def finding(self, profile: ProfileState, t: int) -> Finding:
        """Tells the membership."""
        member = profile.is_member(self.name)
        return Finding(detail=f"is {'' if member else 'not '}in {self.name}")

    def __str__(self) -> str:
        return f"is in segment {self.name}"

    def segments(self) -> Iterator[str]:
        """The other segment."""
        yield self.name
