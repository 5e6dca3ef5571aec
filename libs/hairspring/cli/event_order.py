"""Brings the events of a file into the order in which they are judged, without repeats.

A file that is in the order of time for each profile is passed on as it is read. Any other is found
out on the way (`OutOfOrder`) and is then sorted first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hairspring.cli import segment_spec
from hairspring.cli.disk_sort import DiskSort
from hairspring.cli.event_files import LONGEST_LINE, EventFile
from hairspring.cli.seen import Seen
from hairspring.cli.segment_spec import Event, ImportFinished, Unreadable

Problem = Callable[[int, str], None]
"""Is told of each line that is not taken, or is remarkable: its number and why."""

Numbered = tuple[int, Event]


class OutOfOrder(Exception):
    """An event is older than the one before it of the same profile."""


def streamed(file: EventFile, problem: Problem) -> Iterator[Numbered]:
    """Give the events as they come; raises `OutOfOrder` at the first that is older."""
    latest: dict[str, int] = {}
    for number, event, _ in _first_ones(file, problem):
        if latest.get(event.profile, event.time) > event.time:
            raise OutOfOrder
        latest[event.profile] = event.time
        yield number, event


def by_time(file: EventFile, problem: Problem) -> Iterator[Numbered]:
    """Give the events by profile, then time, then line."""
    with DiskSort() as sort:
        for number, event, line in _first_ones(file, problem):
            sort.add((event.profile, event.time, number), line)
        for (_, _, number), line in sort:
            again = segment_spec.read(line)
            assert isinstance(again, Event)  # it was one when it was read before
            yield number, again


def by_position(file: EventFile, problem: Problem) -> Iterator[Event | ImportFinished]:
    """Give the entries of an exported log in the order of the log."""
    with DiskSort() as sort:
        for number, line in file.lines():
            entry = _read(line)
            if isinstance(entry, Unreadable):
                problem(number, entry.problem)
            elif entry.position is None or entry.accepted_at is None:
                problem(number, '"position" and "acceptedAt" are missing: not an exported log')
            else:
                sort.add((entry.position,), line)
        for _, line in sort:
            again = segment_spec.read(line)
            assert not isinstance(again, Unreadable)  # it was read before
            yield again


def _first_ones(file: EventFile, problem: Problem) -> Iterator[tuple[int, Event, bytes]]:
    """Give the events of a file in its order, the first of each message id."""
    with Seen() as seen:
        for number, line in file.lines():
            event = _read(line)
            if isinstance(event, Unreadable):
                problem(number, event.problem)
                continue
            if isinstance(event, ImportFinished):
                continue
            if event.remark:
                problem(number, event.remark)
            if seen.is_new(event.message_id):
                yield number, event, line


def _read(line: bytes) -> Event | ImportFinished | Unreadable:
    if len(line) >= LONGEST_LINE:
        return Unreadable(problem=f"longer than {LONGEST_LINE:,} bytes")
    return segment_spec.read(line)
