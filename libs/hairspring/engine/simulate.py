"""Simulation: the same fold as live evaluation, over a file instead of a log.

Each profile is on its own, so events may come in any order between profiles; those of one profile
come in the order of time (`simulate`), or in the order of acceptance (`accepted`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from hairspring.engine.events import Event, too_old
from hairspring.engine.merging import merge, part
from hairspring.engine.plan import Plan
from hairspring.engine.rebuild import rebuild
from hairspring.engine.records import Origin, Record
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, step


class Told(NamedTuple):
    """A record and whose it is."""

    profile: str
    record: Record


class Imported(NamedTuple):
    """An event of an import in an accepted log: history that is judged when the import finishes."""

    event: Event
    import_id: str


class Finished(NamedTuple):
    """The end of an import in an accepted log, accepted at `accepted_at` (milliseconds, UTC)."""

    import_id: str
    accepted_at: int


class Joined(NamedTuple):
    """Another profile became part of this one at `accepted_at` (milliseconds, UTC).

    `entries` are those of the other until then; a log of all profiles has them in their own places.
    """

    other: str
    accepted_at: int
    entries: "tuple[Event | Imported | Finished | Joined, ...]" = ()


Entry = Event | Imported | Finished | Joined


def simulate(
    events: Iterable[tuple[str, Event]],
    plan: Plan,
    *,
    until: int | None = None,
    horizon: int | None = None,
) -> Iterator[Told]:
    """Folds (profile, event) pairs, those of each profile in order of (time, order).

    Passes moments up to `until` (milliseconds, UTC), and leaves out later events; without it, up
    to the latest event's time. Yields the records of each step as it comes to them.
    """
    states: dict[str, ProfileState] = {}
    end = until
    for profile, event in events:
        if until is not None and event.time > until:
            continue
        if until is None and (end is None or event.time > end):
            end = event.time
        yield from _stepped(states, profile, event, plan, horizon)
    if end is not None:
        yield from _ended(states, end, plan)


@dataclass(slots=True)
class _Accepted:
    """What is remembered of one profile of an accepted log."""

    state: ProfileState = field(default_factory=ProfileState)
    history: list[Event] = field(default_factory=list)
    touched: dict[str, bool] = field(default_factory=dict)
    """Unfinished imports by id, and whether the profile was unjudged when each came."""
    unfinished: dict[str, list[Event]] = field(default_factory=dict)


def simulate_accepted(
    entries: Iterable[tuple[str, Entry]],
    plan: Plan,
    *,
    until: int | None = None,
    lateness: int = 0,
    horizon: int | None = None,
) -> Iterator[Told]:
    """Folds a log as it was accepted: late events, imports, merges and all.

    `Finished` entries carry an empty profile. Passes moments up to `until` (milliseconds, UTC);
    without it, up to the time of the last acceptance.
    """
    profiles: dict[str, _Accepted] = {}
    end = until
    for profile, entry in entries:
        if isinstance(entry, Finished):
            accepted_at = entry.accepted_at
            yield from _finished(profiles, entry, plan, horizon)
        elif isinstance(entry, Joined):
            accepted_at = entry.accepted_at
            yield from _joined(profiles, profile, entry, plan, lateness, horizon)
        elif isinstance(entry, Imported):
            accepted_at = entry.event.accepted_at
            known = profiles.setdefault(profile, _Accepted())
            known.touched.setdefault(entry.import_id, known.state.clock is None)
            known.unfinished.setdefault(entry.import_id, []).append(entry.event)
        else:
            accepted_at = entry.accepted_at
            known = profiles.setdefault(profile, _Accepted())
            if not too_old(entry, horizon):
                known.history.append(entry)
            known.state, records, _ = step(
                known.state, entry, plan, lateness=lateness, horizon=horizon
            )
            yield from (Told(profile, record) for record in records)
        if until is None and (end is None or accepted_at > end):
            end = accepted_at
    if end is not None:
        for profile, known in profiles.items():
            _, records, _ = step(known.state, Passed(end), plan, lateness=lateness)
            yield from (Told(profile, record) for record in records)


def _finished(
    profiles: dict[str, _Accepted], end: Finished, plan: Plan, horizon: int | None
) -> Iterator[Told]:
    for profile, known in profiles.items():
        if end.import_id not in known.touched:
            continue
        fresh = known.touched.pop(end.import_id)
        known.history += known.unfinished.pop(end.import_id)
        known.state, records, _ = rebuild(
            known.state,
            known.history,
            plan,
            through=end.accepted_at,
            origin=Origin.IMPORT,
            fresh=fresh,
            horizon=horizon,
        )
        yield from (Told(profile, record) for record in records)


def _joined(
    profiles: dict[str, _Accepted],
    profile: str,
    joined: Joined,
    plan: Plan,
    lateness: int,
    horizon: int | None,
) -> Iterator[Told]:
    at, former = joined.accepted_at, joined.other
    theirs, mine = profiles.pop(former, _Accepted()), profiles.setdefault(profile, _Accepted())
    for record in part(theirs.state, plan, at=at, lateness=lateness, into=profile).records:
        yield Told(former, record)
    mine.history += theirs.history
    for cause, events in theirs.unfinished.items():
        mine.touched.setdefault(cause, mine.state.clock is None)
        mine.unfinished.setdefault(cause, []).extend(events)
    mine.state, records, _ = merge(
        mine.state,
        theirs.state,
        mine.history,
        plan,
        at=at,
        former=former,
        lateness=lateness,
        horizon=horizon,
    )
    yield from (Told(profile, record) for record in records)


def _stepped(
    states: dict[str, ProfileState],
    profile: str,
    event: Event,
    plan: Plan,
    horizon: int | None,
) -> Iterator[Told]:
    state = states.get(profile)
    if state is None:
        state = ProfileState()
    states[profile], records, _ = step(state, event, plan, horizon=horizon)
    for record in records:
        yield Told(profile, record)


def _ended(states: dict[str, ProfileState], end: int, plan: Plan) -> Iterator[Told]:
    for profile, state in states.items():
        _, records, _ = step(state, Passed(end), plan)
        for record in records:
            yield Told(profile, record)
