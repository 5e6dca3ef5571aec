"""Folds a file of events by the engine, and gives the transitions in the order of time."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from hairspring.cli import event_order, reading, segment_spec
from hairspring.cli.disk_sort import DiskSort
from hairspring.cli.event_files import EventFile
from hairspring.cli.event_order import Numbered, OutOfOrder, Problem
from hairspring.engine.events import Event, EventKind
from hairspring.engine.plan import Plan, conditions
from hairspring.engine.records import Cause, Origin, Transition
from hairspring.engine.simulate import Entry as Accepted
from hairspring.engine.simulate import Finished, Imported, Joined, Told, simulate, simulate_accepted
from hairspring.engine.streams import ANY_EVENT
from hairspring.wire.times import iso

Entry = tuple[str, Accepted]


def by_event_time(
    path: Path,
    plan: Plan,
    problem: Problem,
    *,
    until: int | None = None,
    horizon: int | None = None,
) -> Iterator[bytes]:
    """Judge a file by the times of its events; gives JSON lines by time, profile, segment.

    A file in the order of time for each profile is streamed; any other is read again and sorted.
    `until` is in milliseconds since the epoch; without it, the last event's time is the end.
    What lies beyond the `horizon` (milliseconds) is folded, which no answer here depends on.
    """
    names = mentioned_names(plan)
    try:
        with closing(_as_it_comes(path, names, problem)) as coming:
            lines = _sorted(simulate(_numbered(coming), plan, until=until, horizon=horizon))
    except OutOfOrder as found:
        again = _behind(found.line, problem)
        with EventFile(str(path)) as file:
            events = event_order.needed(event_order.by_time(file, again), names)
            lines = _sorted(simulate(_numbered(events), plan, until=until, horizon=horizon))
    with lines:
        yield from _contents(lines)


def _as_it_comes(
    path: Path, names: frozenset[str] | None, problem: Problem
) -> Generator[Numbered, None, None]:
    """Read a file in its order: a large one in a process of its own."""
    with EventFile(str(path)) as file:
        if not reading.is_worth_it(file):
            yield from event_order.needed(event_order.streamed(file, problem), names)
            return
    yield from reading.read_apart(str(path), names, problem)


def mentioned_names(plan: Plan) -> frozenset[str] | None:
    """Find the names of events that some pattern of the plan can match; None where all can."""
    names = frozenset(
        name
        for segment in plan.segments
        for condition in conditions(segment)
        for reading in condition.reads()
        for name in reading.pattern.names
    )
    return None if ANY_EVENT in names else names


def _behind(line: int, problem: Problem) -> Problem:
    """Pass on what is told of the lines behind one; what is before it has been told."""

    def told(number: int, what: str) -> None:
        if number > line:
            problem(number, what)

    return told


def as_accepted(
    path: Path,
    plan: Plan,
    problem: Problem,
    *,
    until: int | None = None,
    lateness: int = 0,
    horizon: int | None = None,
) -> Iterator[bytes]:
    """Judge an exported log as it was accepted: late events, imports, merges and all.

    `lateness` and `horizon` (milliseconds) are those of the workspace.
    """
    with EventFile(str(path)) as file:
        entries = _entries(event_order.by_position(file, problem))
        told = simulate_accepted(entries, plan, until=until, lateness=lateness, horizon=horizon)
        with _sorted(told) as lines:
            yield from _contents(lines)


def _numbered(events: Iterable[Numbered]) -> Iterator[tuple[str, Event]]:
    """Turn events of a file into the engine's; each is accepted at its own time."""
    kinds = {kind.value: kind for kind in EventKind}
    for number, (profile, time, name, message_id, kind, properties, context) in events:
        yield (
            profile,
            Event(name, time, number, time, message_id, kinds[kind], properties, context),
        )


def _entries(
    entries: Iterable[segment_spec.Event | segment_spec.ImportFinished | segment_spec.Merged],
) -> Iterator[Entry]:
    """Turn the entries of a log into the engine's.

    The end of an import stands in the log once for each shard; the engine takes the first.
    """
    finished = set()
    for entry in entries:
        if isinstance(entry, segment_spec.ImportFinished):
            if entry.import_id not in finished:
                finished.add(entry.import_id)
                yield "", Finished(entry.import_id, entry.accepted_at)
            continue
        if isinstance(entry, segment_spec.Merged):
            yield entry.profile, Joined(entry.other, entry.accepted_at)
            continue
        accepted_at = entry.accepted_at if entry.accepted_at is not None else entry.time
        event = Event(
            name=entry.name,
            time=min(entry.time, accepted_at),
            order=entry.position or 0,
            accepted_at=accepted_at,
            message_id=entry.message_id,
            kind=EventKind(entry.type),
            properties=entry.properties,
            context=entry.context,
        )
        yield entry.profile, Imported(event, entry.import_id) if entry.import_id else event


def _sorted(told: Iterable[Told]) -> DiskSort:
    """Sort the transitions by time, profile and segment, on disk where they are many."""
    lines = DiskSort()
    try:
        for profile, record in told:
            if isinstance(record, Transition):
                key = (record.effective_at, profile, record.segment)
                lines.add(key, orjson.dumps(transition_line(profile, record)))
    except BaseException:
        lines.close()
        raise
    return lines


def _contents(lines: DiskSort) -> Iterator[bytes]:
    for _, content in lines:
        yield content


def transition_line(profile: str, transition: Transition) -> dict[str, Any]:
    """Write a transition just as `wire.transitions` writes what was recorded of it."""
    line: dict[str, Any] = {
        "profile": profile,
        "segment": transition.segment,
        "change": transition.change.value,
        "effective_at": iso(transition.effective_at),
        "cause": _cause(transition.cause, transition.effective_at),
    }
    if transition.groups:
        line["groups"] = [orjson.loads(group) for group in transition.groups]
    if transition.origin is not Origin.LIVE:
        line["origin"] = transition.origin.value
    if transition.merged_with:
        line["merged_with"] = transition.merged_with
    return line


def _cause(cause: Cause, effective_at: int) -> dict[str, Any]:
    event = cause.event
    if event is None:
        return {"time": iso(effective_at)}
    line: dict[str, Any] = {
        "event": event.name or "identify",
        "message_id": event.message_id,
        "time": iso(event.time),
    }
    if cause.late:
        line["late"] = True
    return line
