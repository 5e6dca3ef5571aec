"""A preview: what the recorded history would have made of a segment, profile by profile."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappushpop
from typing import NamedTuple

from hairspring.engine.events import Event
from hairspring.engine.plan import Plan, references
from hairspring.engine.records import Change, Record, Transition
from hairspring.engine.segments import Segment
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, step

DAY = 86_400_000


class Course(NamedTuple):
    """How one profile went through a segment: since when she is in it, and each change."""

    entered_at: int | None
    changes: tuple[tuple[int, Change], ...]


def with_references(segments: Iterable[Segment], name: str) -> list[Segment]:
    """A segment and all that it refers to, near or far."""
    known = {segment.name: segment for segment in segments}
    found: dict[str, Segment] = {}
    queue = [name]
    while queue:
        name = queue.pop()
        if name not in found:
            found[name] = known[name]
            queue += references(known[name])
    return list(found.values())


def course(
    events: Iterable[Event], plan: Plan, segment: str, *, at: int, horizon: int | None = None
) -> Course:
    """Folds the history of one profile in the order of time, up to `at` (milliseconds, UTC)."""
    known = [event._replace(accepted_at=event.time) for event in events if event.time <= at]
    known.sort(key=lambda event: (event.time, event.order))
    state, told = ProfileState(), list[Record]()
    for event in known:
        state, records, _ = step(state, event, plan, horizon=horizon)
        told += records
    state, records, _ = step(state, Passed(at), plan)
    changes = tuple(
        (record.effective_at, record.change)
        for record in (*told, *records)
        if isinstance(record, Transition) and record.segment == segment
    )
    found = state.segments.get(segment)
    inside = found is not None and found.member
    return Course(found.entered_at if found is not None and inside else None, changes)


@dataclass(slots=True)
class Examples:
    """How many there are, and the first few by profile, each with since when."""

    most: int
    count: int = 0
    _kept: list[tuple["_Backwards", int]] = field(default_factory=list)

    def add(self, profile: str, entered_at: int) -> None:
        """Counts one."""
        self.count += 1
        given = (_Backwards(profile), entered_at)
        if len(self._kept) < self.most:
            self._kept.append(given)
            self._kept.sort()
        else:
            heappushpop(self._kept, given)

    def first(self) -> list[tuple[str, int]]:
        """The first ones by profile, with since when (milliseconds, UTC)."""
        return sorted((one.profile, at) for one, at in self._kept)


class _Backwards:
    """A profile that sorts behind those after it, so that the last one of a heap is its first."""

    __slots__ = ("profile",)

    def __init__(self, profile: str) -> None:
        self.profile = profile

    def __lt__(self, other: "_Backwards") -> bool:
        return self.profile > other.profile

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backwards) and self.profile == other.profile

    __hash__ = None  # type: ignore[assignment]  # only sorted


class Tally:
    """Sums up the courses of profiles; `since` and `at` are in milliseconds, UTC."""

    def __init__(self, *, since: int, at: int, examples: int) -> None:
        self.members = Examples(examples)
        self.gained = Examples(examples)
        self.lost = Examples(examples)
        self.before = 0
        self.days = {day: [0, 0] for day in range(since // DAY, at // DAY + 1)}
        """Entries and leavings by day, numbered since the epoch."""
        self._since = since

    def add(self, profile: str, new: Course, old: Course | None) -> None:
        """Adds a profile, by the new definition and by the one in force, where there is one."""
        for at, change in new.changes:
            if at >= self._since:
                self.days[at // DAY][0 if change is Change.ENTERED else 1] += 1
        if new.entered_at is not None:
            self.members.add(profile, new.entered_at)
        if old is None:
            return
        if old.entered_at is not None:
            self.before += 1
        if new.entered_at is not None and old.entered_at is None:
            self.gained.add(profile, new.entered_at)
        if new.entered_at is None and old.entered_at is not None:
            self.lost.add(profile, old.entered_at)
