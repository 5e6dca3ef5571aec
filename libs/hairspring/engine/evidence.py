"""What makes a membership so: the conditions and the events behind them."""

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
    return tuple(
        Evidence(
            path=path,
            holds=part.verdict(profile, t).holds,
            events=part.finding(profile, t).events,
        )
        for path, part in walk(condition, place)
        if not part.parts()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How one condition stands at a moment, with its parts."""

    path: str
    words: str
    holds: bool
    until: int | None
    detail: str
    events: tuple[tuple[int, int], ...]
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
        parts=tuple(explain(part, here + place, profile, t) for place, part in condition.parts()),
    )
