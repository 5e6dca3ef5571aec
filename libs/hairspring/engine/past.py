"""The past of one profile: how it stood at a moment, as was known then or by hindsight.

As was known then is the very fold that live evaluation did: the entries in the order of the log,
late ones late, imports where they finished, each judged by the plan that was in force. By hindsight
is the fold of everything that is known today, in the order of time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hairspring.engine.events import Event, too_old
from hairspring.engine.merging import merge
from hairspring.engine.plan import Plan
from hairspring.engine.rebuild import rebuild
from hairspring.engine.records import Change, Origin, Record, Transition
from hairspring.engine.simulate import Entry as Entry
from hairspring.engine.simulate import Finished, Imported, Joined
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, Step, step


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """A plan, and from when on what is accepted is judged by it (milliseconds, UTC)."""

    since: int
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A transition by the passing of time, as it was told; `at` in milliseconds, UTC."""

    segment: str
    change: Change
    at: int

    def is_meant(self, record: Record) -> bool:
        """Tells whether a record is this transition."""
        return (
            isinstance(record, Transition)
            and (record.segment, record.change) == (self.segment, self.change)
            and (record.effective_at, record.origin) == (self.at, Origin.LIVE)
            and record.cause.event is None
        )


@dataclass(slots=True, kw_only=True)
class Life:
    """A profile on its way through the log, judged by a plan. Times in milliseconds, UTC."""

    plan: Plan
    lateness: int
    horizon: int | None
    state: ProfileState = field(default_factory=ProfileState)
    history: list[Event] = field(default_factory=list)
    fresh: dict[str, bool] = field(default_factory=dict)
    """Unfinished imports, and whether the profile was unjudged when each came."""
    waiting: dict[str, list[Event]] = field(default_factory=dict)

    def adopt(self, coming: InForce) -> list[Record]:
        """Judges by another plan: what was due before is passed, then the history folded anew."""
        records = self.passed(coming.since - 1)
        self.plan = coming.plan
        if self.state.clock is not None:
            records += self._rebuild(self.state.clock, Origin.DEFINITION, fresh=False)
        return records

    def apply(self, entry: Entry) -> list[Record]:
        """Does what live evaluation does with an entry."""
        if isinstance(entry, Finished):
            if entry.import_id not in self.fresh:
                return []
            self.history += self.waiting.pop(entry.import_id)
            fresh = self.fresh.pop(entry.import_id)
            return self._rebuild(entry.accepted_at, Origin.IMPORT, fresh=fresh)
        if isinstance(entry, Imported):
            self.fresh.setdefault(entry.import_id, self.state.clock is None)
            self.waiting.setdefault(entry.import_id, []).append(entry.event)
            return []
        if isinstance(entry, Joined):
            return self._join(entry)
        if not too_old(entry, self.horizon):
            self.history.append(entry)
        return self._stepped(
            step(self.state, entry, self.plan, lateness=self.lateness, horizon=self.horizon)
        )

    def passed(self, through: int) -> list[Record]:
        """Passes the moments up to and including `through`, less the lateness."""
        return self._stepped(step(self.state, Passed(through), self.plan, lateness=self.lateness))

    def _join(self, joined: Joined) -> list[Record]:
        """Takes another profile in, as it stands by the plan of now."""
        other = lived(joined.entries, self.plan, lateness=self.lateness, horizon=self.horizon)
        self.history += other.history
        for cause, events in other.waiting.items():
            self.fresh.setdefault(cause, self.state.clock is None)
            self.waiting.setdefault(cause, []).extend(events)
        return self._stepped(
            merge(
                self.state,
                other.state,
                self.history,
                self.plan,
                at=joined.accepted_at,
                former=joined.other,
                lateness=self.lateness,
                horizon=self.horizon,
            )
        )

    def _rebuild(self, through: int, origin: Origin, *, fresh: bool) -> list[Record]:
        return self._stepped(
            rebuild(
                self.state,
                self.history,
                self.plan,
                through=through,
                origin=origin,
                fresh=fresh,
                horizon=self.horizon,
            )
        )

    def _stepped(self, done: Step) -> list[Record]:
        self.state = done.state
        return done.records


def lived(
    entries: Iterable[Entry], plan: Plan, *, lateness: int = 0, horizon: int | None = None
) -> Life:
    """A life by one plan, up to the last of these entries."""
    life = Life(plan=plan, lateness=lateness, horizon=horizon)
    for entry in entries:
        life.apply(entry)
    return life


def as_known(
    entries: Iterable[Entry],
    plans: Sequence[InForce],
    *,
    at: int,
    lateness: int = 0,
    horizon: int | None = None,
    cause: int | None = None,
) -> ProfileState:
    """The state behind the moment `at` (milliseconds, UTC), of the entries that were known then.

    `plans` has at least one, in their order; the first judges also what was accepted before it.
    The event of the order `cause` caused what is asked about: what it puts beyond the horizon is
    not forgotten, as it had a part in that.
    """
    life = Life(plan=plans[0].plan, lateness=lateness, horizon=horizon)
    coming = list(reversed(plans[1:]))
    for entry in entries:
        while coming and coming[-1].since <= accepted_at(entry):
            life.adopt(coming.pop())
        if cause is not None and isinstance(entry, Event) and entry.order == cause:
            life.horizon = None
        life.apply(entry)
    while coming and coming[-1].since <= at:
        life.adopt(coming.pop())
    life.passed(at + lateness)
    return life.state


def by_hindsight(
    events: Iterable[Event],
    plan: Plan,
    *,
    at: int,
    horizon: int | None = None,
    cause: int | None = None,
) -> ProfileState:
    """The state behind the moment `at` (milliseconds, UTC), as if all had been accepted at once.

    `events` are without the live ones that were too old when they came. With `cause`, the order of
    an event, it is the state right behind that event, with nothing forgotten by it.
    """
    state = ProfileState()
    for event in _in_order(events, at):
        if event.order == cause:
            return step(state, event, plan).state
        state = step(state, event, plan, horizon=horizon).state
    return step(state, Passed(at), plan).state


def rebuilt_in_time(
    events: Iterable[Event], plan: Plan, told: "Told", *, horizon: int | None = None
) -> list[Event]:
    """The events that a rebuild had applied when it found a transition by the passing of time."""
    state, known = ProfileState(), list[Event]()
    for event in _in_order(events, told.at):
        state, records, _ = step(state, event, plan, horizon=horizon)
        if any(told.is_meant(record) for record in records):
            break
        known.append(event)
    return known


def _in_order(events: Iterable[Event], at: int) -> list[Event]:
    """The events up to a moment in the order of time, each as if accepted at its own time."""
    known = [event._replace(accepted_at=event.time) for event in events if event.time <= at]
    return sorted(known, key=lambda event: (event.time, event.order))


def known_at(entries: Iterable[Entry], at: int) -> list[Entry]:
    """The entries that were accepted up to a moment (milliseconds, UTC)."""
    return [entry for entry in entries if accepted_at(entry) <= at]


def decided_by(entries: Iterable[Entry], cause: int) -> list[Entry]:
    """The entries that had been applied after the event of the order `cause` was."""
    known: list[Entry] = []
    for entry in entries:
        known.append(entry)
        if isinstance(entry, Event) and entry.order == cause:
            break
    return known


def joined_by(entries: Iterable[Entry], at: int) -> list[Entry]:
    """The entries up to the last one of a merge at `at` (milliseconds, UTC)."""
    known = list(entries)
    while known and not (isinstance(known[-1], Joined) and known[-1].accepted_at == at):
        known.pop()
    return known


def decided_in_time(
    entries: Sequence[Entry],
    plans: Sequence[InForce],
    told: Told,
    *,
    lateness: int = 0,
    horizon: int | None = None,
) -> list[Entry]:
    """The entries that had been applied when the passing of time brought a transition about.

    They cannot be told by their times, since a late event may bring a moment that was over already.
    """
    life = Life(plan=plans[0].plan, lateness=lateness, horizon=horizon)
    coming = list(reversed(plans[1:]))
    for count, entry in enumerate(entries):
        records: list[Record] = []
        while coming and coming[-1].since <= accepted_at(entry):
            records += life.adopt(coming.pop())
        records += life.apply(entry)
        if any(told.is_meant(record) for record in records):
            return list(entries[:count])
    return list(entries)


def judged(entries: Iterable[Entry], horizon: int | None) -> list[Event]:
    """The events that a history holds: of finished imports, and live ones that were not too old."""
    given = list(flat(entries))
    finished = {entry.import_id for entry in given if isinstance(entry, Finished)}
    found = [
        entry.event
        for entry in given
        if isinstance(entry, Imported) and entry.import_id in finished
    ]
    return found + [
        entry for entry in given if isinstance(entry, Event) and not too_old(entry, horizon)
    ]


def flat(entries: Iterable[Entry]) -> Iterator[Event | Imported | Finished]:
    """The entries of a profile, and of all that became part of it."""
    for entry in entries:
        if isinstance(entry, Joined):
            yield from flat(entry.entries)
        else:
            yield entry


def accepted_at(entry: Entry) -> int:
    """When the log accepted an entry (milliseconds, UTC)."""
    return entry.event.accepted_at if isinstance(entry, Imported) else entry.accepted_at
