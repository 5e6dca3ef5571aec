"""Folds a file of events by the engine, and gives the transitions in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from hairspring.cli import event_order, segment_spec
from hairspring.cli.disk_sort import DiskSort
from hairspring.cli.event_files import EventFile
from hairspring.cli.event_order import OutOfOrder, Problem
from hairspring.engine.events import Event, EventKind
from hairspring.engine.plan import Plan
from hairspring.engine.records import Transition
from hairspring.engine.simulate import Finished, Imported, Told, simulate, simulate_accepted
from hairspring.wire.transitions import to_contract, transition_json

Entry = tuple[str, Event | Imported | Finished]


def by_event_time(
    path: Path, plan: Plan, problem: Problem, *, until: int | None = None
) -> Iterator[bytes]:
    """Judge a file by the times of its events; gives JSON lines by time, profile, segment.

    A file in the order of time for each profile is streamed; any other is read again and sorted.
    `until` is in milliseconds since the epoch; without it, the last event's time is the end.
    """
    told: list[tuple[int, str]] = []
    try:
        with EventFile(str(path)) as file:
            events = event_order.streamed(file, lambda number, what: told.append((number, what)))
            with _sorted(simulate(_numbered(events), plan, until=until)) as lines:
                for number, what in told:
                    problem(number, what)
                yield from _contents(lines)
                return
    except OutOfOrder:
        pass
    with EventFile(str(path)) as file:
        events = event_order.by_time(file, problem)
        with _sorted(simulate(_numbered(events), plan, until=until)) as lines:
            yield from _contents(lines)


def as_accepted(
    path: Path, plan: Plan, problem: Problem, *, until: int | None = None
) -> Iterator[bytes]:
    """Judge an exported log as it was accepted: late events, imports and all."""
    with EventFile(str(path)) as file:
        entries = _entries(event_order.by_position(file, problem))
        with _sorted(simulate_accepted(entries, plan, until=until)) as lines:
            yield from _contents(lines)


def _numbered(events: Iterable[event_order.Numbered]) -> Iterator[tuple[str, Event]]:
    """Turn events of a file into the engine's; each is accepted at its own time."""
    for number, event in events:
        yield event.profile, _engine_event(event, order=number, accepted_at=event.time)


def _entries(
    entries: Iterable[segment_spec.Event | segment_spec.ImportFinished],
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
        accepted_at = entry.accepted_at if entry.accepted_at is not None else entry.time
        event = _engine_event(entry, order=entry.position or 0, accepted_at=accepted_at)
        yield entry.profile, Imported(event, entry.import_id) if entry.import_id else event


def _engine_event(event: segment_spec.Event, *, order: int, accepted_at: int) -> Event:
    return Event(
        name=event.name,
        time=min(event.time, accepted_at),
        order=order,
        accepted_at=accepted_at,
        message_id=event.message_id,
        kind=EventKind(event.type),
        properties=event.properties,
        context=event.context,
    )


def _sorted(told: Iterable[Told]) -> DiskSort:
    """Sort the transitions by time, profile and segment, on disk where they are many."""
    lines = DiskSort()
    try:
        for profile, record in told:
            if isinstance(record, Transition):
                key = (record.effective_at, profile, record.segment)
                lines.add(key, orjson.dumps(_line(profile, record)))
    except BaseException:
        lines.close()
        raise
    return lines


def _contents(lines: DiskSort) -> Iterator[bytes]:
    for _, content in lines:
        yield content


def _line(profile: str, transition: Transition) -> dict[str, Any]:
    record = to_contract(transition, plan_version=0)
    record.profile_id = profile
    return transition_json(record)
