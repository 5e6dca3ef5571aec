"""Going back: the state that a profile had, by all that is recorded of it; without any I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.engine import past
from hairspring.engine.durations import words
from hairspring.engine.events import Event, too_old
from hairspring.engine.past import Entry, InForce, Told
from hairspring.engine.plan import Plan
from hairspring.engine.records import Change
from hairspring.engine.simulate import Finished, Imported, Joined
from hairspring.engine.state import ProfileState
from hairspring.store.quarantine import SetAside, What
from hairspring.wire.times import iso, to_ms

Record = transition_pb2.Record
CHANGES = {
    transition_pb2.CHANGE_ENTERED: Change.ENTERED,
    transition_pb2.CHANGE_LEFT: Change.LEFT,
}


MOST_MERGES_TOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that is recorded of a profile, and the plans that it was judged by."""

    entries: list[Entry]
    plans: list[InForce]
    at: int
    decided: Record | None
    lateness: int
    horizon: int | None


def fold(case: Case, plan: Plan, hindsight: bool) -> tuple[ProfileState, list[str]]:
    """The state at the moment, and what has to be said of it."""
    at, horizon, decided = case.at, case.horizon, case.decided
    if hindsight:
        everything = past.judged(case.entries, horizon)
        state = past.by_hindsight(everything, plan, at=at, horizon=horizon)
        return state, _notes(case.entries, case, hindsight=True)
    cause = None
    if decided is not None and decided.transition.cause.WhichOneof("kind") == "event":
        cause = decided.transition.cause.event.position
    if decided is not None and decided.transition.origin != transition_pb2.ORIGIN_LIVE:
        known = past.known_at(case.entries, _rebuilt_at(case, decided))
        if decided.transition.origin == transition_pb2.ORIGIN_MERGE:
            known = past.joined_by(known, to_ms(decided.transition.effective_time))
        events = past.judged(known, horizon)
        if cause is None:
            events = past.rebuilt_in_time(events, plan, _told(decided), horizon=horizon)
        state = past.by_hindsight(events, plan, at=at, horizon=horizon, cause=cause)
        return state, _notes(known, case)
    if decided is None:
        known = past.known_at(case.entries, at)
    elif cause is not None:
        known = past.decided_by(case.entries, cause)
    else:
        known = past.decided_in_time(
            case.entries, case.plans, _told(decided), lateness=case.lateness, horizon=horizon
        )
    state = past.as_known(
        known, case.plans, at=at, lateness=case.lateness, horizon=horizon, cause=cause
    )
    return state, _notes(known, case)


def notes(aside: Sequence[SetAside]) -> list[str]:
    """What has to be known about an answer where something of the profile is in quarantine."""
    if not aside:
        return []
    said = []
    if events := [one for one in aside if one.what is What.EVENT]:
        said.append(
            f"this answer is without {_events(len(events))} that could not be evaluated"
            f" ({events[-1].error_type})"
        )
    if held := [one for one in aside if one.holds]:
        said.append(
            "this answer may be wrong: nothing of this profile has been evaluated since"
            f" {iso(min(one.failed_at for one in held))} ({held[0].error_type})"
        )
    elif len(aside) > len(events):
        said.append("this answer may be wrong: a new segment could not be filled for this profile")
    said.append("`hairspring quarantine show` tells more, and `retry` has it tried again")
    return said


def _told(decided: Record) -> Told:
    return Told(
        segment=decided.transition.segment,
        change=CHANGES[decided.transition.change],
        at=to_ms(decided.transition.effective_time),
    )


def _rebuilt_at(case: Case, decided: Record) -> int:
    """Up to when (milliseconds, UTC) history counted in the rebuild that told a transition."""
    if decided.transition.origin == transition_pb2.ORIGIN_DEFINITION:
        return case.plans[-1].since - 1
    if decided.transition.origin == transition_pb2.ORIGIN_MERGE:
        return to_ms(decided.transition.effective_time)
    recorded = to_ms(decided.record_time)
    if decided.transition.origin == transition_pb2.ORIGIN_REPAIR:
        return recorded
    ends = [entry.accepted_at for entry in case.entries if isinstance(entry, Finished)]
    return max((end for end in ends if end <= recorded), default=recorded)


def _notes(known: Sequence[Entry], case: Case, *, hindsight: bool = False) -> list[str]:
    """What has to be known about an answer that rests on these entries."""
    notes = []
    if case.decided is not None:
        notes.append("as it was decided")
    here = list(past.flat(known))
    finished = {entry.import_id for entry in here if isinstance(entry, Finished)}
    waiting = [e for e in here if isinstance(e, Imported) and e.import_id not in finished]
    if waiting:
        notes.append(f"{_events(len(waiting))} of an import that had not finished: not judged yet")
    distant = [e for e in here if isinstance(e, Event) and too_old(e, case.horizon)]
    if distant and case.horizon is not None:
        notes.append(
            f"{_events(len(distant))} more than {words(case.horizon)} old when accepted:"
            " beyond the horizon, judged by nothing"
        )
    notes += [
        f"{entry.other} became part of this profile at {iso(entry.accepted_at)}"
        for entry in known
        if isinstance(entry, Joined)
    ][-MOST_MERGES_TOLD:]
    if not hindsight:
        later = _later(known, case)
        if later:
            notes.append(f"{_events(later)} of before that came later: counted by hindsight only")
    first = min(_times(case.entries), default=case.at)
    if first > case.at:
        notes.append(f"what is recorded of this profile begins at {iso(first)}")
    return notes


def _later(known: Sequence[Entry], case: Case) -> int:
    """How many events of up to the moment are not among those that were known, but count now."""
    here, everywhere = (
        sum(event.time <= case.at for event in past.judged(entries, case.horizon))
        for entries in (known, case.entries)
    )
    return everywhere - here


def _times(entries: Sequence[Entry]) -> Iterator[int]:
    for entry in past.flat(entries):
        if not isinstance(entry, Finished):
            yield entry.event.time if isinstance(entry, Imported) else entry.time


def _events(count: int) -> str:
    return f"{count} event" + ("" if count == 1 else "s")
