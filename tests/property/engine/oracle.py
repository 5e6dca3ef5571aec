"""What the rule language says, computed the slow way.

Written from the language's page alone: it shares no code with the engine. There are no streams, no
bisection and no `until`: it keeps the whole history, looks at every single millisecond, and asks
every condition of every segment anew each time.

Where the page leaves something open, it takes these decisions, as the engine does:

- A moment without an event at which nothing changes (who is a member, whether `enter` holds, which
  rise stands) leaves no trace on the clock.
- A rise in the very millisecond of leaving is not older than the leaving, so it stands; it opens
  the way back from the next millisecond on, unless it is a new rise of a later event.
- A change is caused by an event when the event matches a pattern of the segment, when it is the
  profile's first, or when a segment referred to changed because of it; else it is caused by time.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

OPERATORS = {
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Event:
    """An event of one profile; `marked` is what patterns with `where` ask for."""

    name: str
    time: int
    order: int
    accepted_at: int
    marked: bool = False
    identify: bool = False


@dataclass(frozen=True)
class Pattern:
    names: tuple[str, ...]
    marked: bool = False

    def matches(self, event: Event) -> bool:
        named = event.name in self.names or "*" in self.names
        return named and not event.identify and (event.marked or not self.marked)


@dataclass(frozen=True)
class Performed:
    pattern: Pattern
    operator: str
    number: int
    within: int | None
    since: Pattern | None


@dataclass(frozen=True)
class Abandoned:
    start: Pattern
    end: Pattern
    after: int
    restart: bool


@dataclass(frozen=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Any:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    part: Condition


@dataclass(frozen=True)
class Member:
    segment: str


Condition = Performed | Abandoned | All | Any | Not | Member


@dataclass(frozen=True)
class Segment:
    name: str
    enter: Condition
    exit: Condition | None = None
    stay: int | None = None
    cooldown: int | None = None
    max_event_age: int | None = None


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


def holds(condition: Condition, history: list[Event], members: set[str], t: int) -> bool:
    """Whether a condition holds at t, over a whole history in the profile's order."""
    if isinstance(condition, Performed):
        return OPERATORS[condition.operator](_count(condition, history, t), condition.number)
    if isinstance(condition, Abandoned):
        return _abandoned(condition, history, t)
    if isinstance(condition, All):
        return all(holds(part, history, members, t) for part in condition.parts)
    if isinstance(condition, Any):
        return any(holds(part, history, members, t) for part in condition.parts)
    if isinstance(condition, Not):
        return not holds(condition.part, history, members, t)
    return condition.segment in members


def _count(condition: Performed, history: list[Event], t: int) -> int:
    counted = 0
    for event in history:
        if condition.since is not None and condition.since.matches(event):
            counted = 0  # only what comes after it, in the profile's order, can count ...
            if condition.pattern.matches(event):
                continue  # ... and an event does not come after itself
        if condition.pattern.matches(event):
            in_window = condition.within is None or t - condition.within < event.time <= t
            counted += in_window
    return counted


def _abandoned(condition: Abandoned, history: list[Event], t: int) -> bool:
    happened = [(event.time, 0) for event in history if condition.start.matches(event)]
    happened += [(event.time, 1) for event in history if condition.end.matches(event)]
    deadline: int | None = None  # of the episode that is open
    abandoned = False
    for time, is_end in sorted(happened):
        if deadline is not None and time > deadline:
            deadline, abandoned = None, True
        if is_end:
            deadline, abandoned = None, False
        elif deadline is None:
            deadline, abandoned = time + condition.after, False
        elif condition.restart:
            deadline = time + condition.after
    return abandoned or (deadline is not None and t >= deadline)


def patterns(condition: Condition) -> Iterator[Pattern]:
    """Every pattern in a condition."""
    if isinstance(condition, Performed):
        yield condition.pattern
        if condition.since is not None:
            yield condition.since
    elif isinstance(condition, Abandoned):
        yield condition.start
        yield condition.end
    else:
        for part in parts(condition):
            yield from patterns(part)


def references(condition: Condition) -> Iterator[str]:
    """Every segment that a condition refers to."""
    if isinstance(condition, Member):
        yield condition.segment
    for part in parts(condition):
        yield from references(part)


def parts(condition: Condition) -> tuple[Condition, ...]:
    """The conditions directly within one."""
    if isinstance(condition, All | Any):
        return condition.parts
    return (condition.part,) if isinstance(condition, Not) else ()


def _of(segment: Segment) -> tuple[Condition, ...]:
    return (segment.enter,) if segment.exit is None else (segment.enter, segment.exit)


@dataclass
class Oracle:
    """Follows one profile; `segments` come after those that they refer to."""

    segments: tuple[Segment, ...]
    lateness: int = 0
    history: list[Event] = field(default_factory=list)
    clock: int | None = None
    standings: dict[str, Standing] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def event(self, event: Event) -> None:
        """An event is accepted: first the moments that do not wait for it, then the event."""
        self.pass_moments(max(event.time, event.accepted_at - self.lateness))
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
        """Looks at every millisecond before `end`."""
        if self.clock is None:
            return
        for t in range(self.clock + 1, end):
            if self._evaluate(t, None, False, False):
                self.clock = t

    def members(self) -> set[str]:
        return {name for name, standing in self.standings.items() if standing.member}

    def _evaluate(self, t: int, event: Event | None, late: bool, first: bool) -> bool:
        changed = False
        changed_by_event: set[str] = set()
        for segment in self.segments:
            before = self.standings.get(segment.name, Standing())
            by_event = event is not None and (
                first
                or any(p.matches(event) for c in _of(segment) for p in patterns(c))
                or any(r in changed_by_event for c in _of(segment) for r in references(c))
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

        def tell(what: str) -> None:
            cause = None if event is None else event.order
            self.told.append(Told(what, segment.name, t, cause, late and event is not None))

        if before.member:
            stayed = segment.stay is not None and t >= (before.entered_at or 0) + segment.stay
            if stayed or leave or (segment.exit is None and not enter):
                after.member, after.left_at = False, t
                if after.rise_at is not None and after.rise_at < t:
                    after.rise_at = None
                tell("left")
                return after
        elif after.rise_at is not None:
            left = before.left_at
            cooling = (
                segment.cooldown is not None and left is not None and t < left + segment.cooldown
            )
            same = not rises and after.rise_at == left == t
            if not leave and not cooling and not same:
                after.member, after.entered_at, after.rise_at = True, t, None
                tell("entered")
                return after
            if rises:
                self.told.append(Told("held", segment.name, t))
        if too_old:
            self.told.append(Told("dropped", segment.name, t))
        return after


def by_event_time(segments: tuple[Segment, ...], events: Iterable[Event], end: int) -> Oracle:
    """Follows events in the profile's order, each accepted at its own time, up to `end`."""
    oracle = Oracle(segments)
    for event in sorted(events, key=lambda event: (event.time, event.order)):
        oracle.event(event)
    oracle.passed(end)
    return oracle


def as_accepted(
    segments: tuple[Segment, ...], events: Iterable[Event], end: int, lateness: int = 0
) -> Oracle:
    """Follows events in the order in which they were accepted, up to `end`."""
    oracle = Oracle(segments, lateness)
    for event in events:
        oracle.event(event)
    oracle.passed(end)
    return oracle
