"""What makes a membership so: the conditions and the events behind them."""

from collections.abc import Iterable
from dataclasses import dataclass

from hairspring.engine.conditions.base import Condition, walk
from hairspring.engine.records import Evidence
from hairspring.engine.segments import Segment
from hairspring.engine.state import ProfileState


def evidence(
    segment: Segment, profile: ProfileState, t: int, *, entering: bool
) -> tuple[Evidence, ...]:
    """The conditions without parts that speak for a change at t, each with its events.

    For a leaving: those of `exit` where it holds, else those of `enter`.
    """
    place, condition = "enter", segment.enter
    if not entering and segment.exit is not None and segment.exit.verdict(profile, t).holds:
        place, condition = "exit", segment.exit
    found = []
    for path, part in walk(condition, place):
        if not part.parts():
            finding = part.finding(profile, t)
            found.append(
                Evidence(
                    path=path,
                    holds=part.verdict(profile, t).holds,
                    events=finding.events,
                    detail=finding.detail,
                    groups=finding.groups,
                )
            )
    return tuple(found)


def groups_of(found: Iterable[Evidence]) -> tuple[str, ...]:
    """The groups of all conditions that held."""
    return tuple(sorted({group for one in found if one.holds for group in one.groups}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How one condition stands at a moment, with its parts."""

    path: str
    words: str
    holds: bool
    until: int | None
    detail: str
    events: tuple[tuple[int, int], ...]
    groups: tuple[str, ...]
    parts: tuple["Explanation", ...]


def explain(condition: Condition, path: str, profile: ProfileState, t: int) -> Explanation:
    """The tree of conditions at t (milliseconds, UTC), each with what it found."""
    here = f"{path}.{condition.keyword}"
    holds, until = condition.verdict(profile, t)
    finding = condition.finding(profile, t)
    return Explanation(
        path=here,
        words=str(condition),
        holds=holds,
        until=until,
        detail=finding.detail,
        events=finding.events,
        groups=finding.groups,
        parts=tuple(explain(part, here + place, profile, t) for place, part in condition.parts()),
    )
