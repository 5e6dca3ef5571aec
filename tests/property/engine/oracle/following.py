"""Follows one profile: instants, rises, memberships."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.property.engine.oracle.holding import concerns, holds
from tests.property.engine.oracle.reasons import Reason, reasons
from tests.property.engine.oracle.words import Event, Segment, conditions_of, references


@dataclass
class Standing:
    """How the profile stands to one segment."""

    member: bool = False
    entered_at: int | None = None
    left_at: int | None = None
    held: bool = False
    rise_at: int | None = None

    def answers(self) -> tuple[bool, bool, int | None]:
        return self.member, self.held, self.rise_at


@dataclass(frozen=True)
class Told:
    """Something that was recorded; `cause` is the order of the causing event, None for time."""

    what: str
    segment: str
    at: int
    cause: int | None = None
    late: bool = False
    groups: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()


@dataclass
class Oracle:
    """Follows one profile; `segments` come after those that they refer to.

    With `candidates` it looks at those moments alone, and at those that memberships lead to: for
    times so far apart that not every millisecond can be looked at.
    """

    segments: tuple[Segment, ...]
    lateness: int = 0
    horizon: int | None = None
    candidates: tuple[int, ...] | None = None
    history: list[Event] = field(default_factory=list)
    clock: int | None = None
    standings: dict[str, Standing] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def event(self, event: Event) -> None:
        """An event is accepted: first the moments that do not wait for it, then the event."""
        self.pass_moments(max(event.time, event.accepted_at - self.lateness))
        if self.horizon is not None and event.accepted_at - event.time > self.horizon:
            return
        first = self.clock is None
        late = self.clock is not None and event.time < self.clock
        t = self.clock if late and self.clock is not None else event.time
        self.history.append(event)
        self.history.sort(key=lambda known: (known.time, known.order))
        self._evaluate(t, event, late, first)
        self.clock = t

    def passed(self, through: int) -> None:
        """Everything accepted up to `through` is known."""
        self.pass_moments(through - self.lateness + 1)

    def pass_moments(self, end: int) -> None:
        """Looks at every millisecond before `end`, or at the candidates."""
        if self.clock is None:
            return
        for t in self._moments(self.clock + 1, end):
            if self._evaluate(t, None, False, False):
                self.clock = t

    def members(self) -> set[str]:
        return {name for name, standing in self.standings.items() if standing.member}

    def _moments(self, start: int, end: int) -> Iterator[int]:
        if self.candidates is None:
            yield from range(start, end)
            return
        t = start - 1
        while True:
            more = [*self.candidates, *self._promised()]
            following = [moment for moment in more if t < moment < end]
            if not following:
                return
            t = min(following)
            yield t

    def _promised(self) -> Iterator[int]:
        for segment in self.segments:
            standing = self.standings.get(segment.name, Standing())
            if standing.entered_at is not None:
                yield standing.entered_at + (segment.stay or 0)
            if standing.left_at is not None:
                yield standing.left_at + 1
                yield standing.left_at + (segment.cooldown or 0)

    def _evaluate(self, t: int, event: Event | None, late: bool, first: bool) -> bool:
        changed = False
        changed_by_event: set[str] = set()
        for segment in self.segments:
            before = self.standings.get(segment.name, Standing())
            by_event = event is not None and (
                first
                or any(concerns(leaf, event) for leaf in conditions_of(segment))
                or not changed_by_event.isdisjoint(references(segment))
            )
            after = self._judge(segment, before, t, event if by_event else None, late)
            self.standings[segment.name] = after
            changed = changed or after.answers() != before.answers()
            if by_event and after.member != before.member:
                changed_by_event.add(segment.name)
        return changed

    def _judge(
        self, segment: Segment, before: Standing, t: int, event: Event | None, late: bool
    ) -> Standing:
        members = self.members()
        enter = holds(segment.enter, self.history, members, t)
        leave = segment.exit is not None and holds(segment.exit, self.history, members, t)
        rises = enter and not before.held
        after = Standing(before.member, before.entered_at, before.left_at, enter)
        if enter:
            after.rise_at = t if rises else before.rise_at
        too_old = (
            rises
            and event is not None
            and segment.max_event_age is not None
            and event.accepted_at - event.time > segment.max_event_age
        )
        if too_old:
            after.rise_at = None
        if before.member:
            stayed = segment.stay is not None and t >= (before.entered_at or 0) + segment.stay
            if stayed or leave or (segment.exit is None and not enter):
                after.member, after.left_at = False, t
                if after.rise_at is not None and after.rise_at < t:
                    after.rise_at = None
                self._tell("left", segment, t, event, late, by_exit=leave)
                return after
        elif after.rise_at is not None:
            left = before.left_at
            cooling = (
                segment.cooldown is not None and left is not None and t < left + segment.cooldown
            )
            same = not rises and after.rise_at == left == t
            if not leave and not cooling and not same:
                after.member, after.entered_at, after.rise_at = True, t, None
                self._tell("entered", segment, t, event, late, by_exit=False)
                return after
            if rises:
                self.told.append(Told("held", segment.name, t))
        if too_old:
            self.told.append(Told("dropped", segment.name, t))
        return after

    def _tell(
        self, what: str, segment: Segment, t: int, event: Event | None, late: bool, *, by_exit: bool
    ) -> None:
        spoke = segment.exit if by_exit and segment.exit is not None else segment.enter
        found = reasons(spoke, self.history, self.members(), t)
        groups = sorted({group for reason in found if reason.holds for group in reason.groups})
        cause = None if event is None else event.order
        late = late and event is not None
        self.told.append(Told(what, segment.name, t, cause, late, tuple(groups), found))


def by_event_time(
    segments: tuple[Segment, ...],
    events: Iterable[Event],
    end: int,
    candidates: tuple[int, ...] | None = None,
) -> Oracle:
    """Follows events in the profile's order, each accepted at its own time, up to `end`."""
    oracle = Oracle(segments, candidates=candidates)
    for event in sorted(events, key=lambda event: (event.time, event.order)):
        oracle.event(event)
    oracle.passed(end)
    return oracle


def as_accepted(
    segments: tuple[Segment, ...],
    events: Iterable[Event],
    end: int,
    lateness: int = 0,
    horizon: int | None = None,
) -> Oracle:
    """Follows events in the order in which they were accepted, up to `end`."""
    oracle = Oracle(segments, lateness, horizon)
    for event in events:
        oracle.event(event)
    oracle.passed(end)
    return oracle
