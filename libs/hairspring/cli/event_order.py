"""Brings the events of a file into the order in which they are judged, without repeats.

A file that is in the order of time for each profile is passed on as it is read. Any other is found
out on the way (`OutOfOrder`) and is then sorted first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from hairspring.cli.disk_sort import DiskSort
from hairspring.cli.event_files import EventFile
from hairspring.cli.quick_lines import Taken, quick, taken, thorough
from hairspring.cli.seen import Seen
from hairspring.cli.segment_spec import Event, ImportFinished, Merged, Unreadable

Problem = Callable[[int, str], None]
"""Is told of each line that is not taken, or is remarkable: its number and why."""

Numbered = tuple[int, Taken]
"""The number of the line, and what was taken from it."""


class OutOfOrder(Exception):
    """An event, in the line of that number, is older than the one before it of the same profile."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def streamed(file: EventFile, problem: Problem) -> Iterator[Numbered]:
    """Give the events as they come; raises `OutOfOrder` at the first that is older."""
    latest: dict[str, int] = {}
    for number, event, _ in _first_ones(file, problem):
        profile, time = event[0], event[1]
        if latest.get(profile, time) > time:
            raise OutOfOrder(number)
        latest[profile] = time
        yield number, event


def by_time(file: EventFile, problem: Problem) -> Iterator[Numbered]:
    """Give the events by profile, then time, then line."""
    with DiskSort() as sort:
        for number, event, line in _first_ones(file, problem):
            sort.add((event[0], event[1], number), line)
        for (_, _, number), line in sort:
            yield number, _again(line)


def needed(events: Iterable[Numbered], names: frozenset[str] | None) -> Iterator[Numbered]:
    """Leave out the events whose judging would change nothing: those of a name that no rule knows.

    Events come in order for each profile; `names` are those that rules know, None where it is all.
    An event that no pattern can match makes no answer differ, and moments before it are passed as
    well by the event after it, each at its own time. There are three exceptions. A profile's first
    event is its first instant. A moment in an event's own millisecond is passed after it, so where
    the event after it comes in the same millisecond, it tells these two apart; an event without a
    name does that as well. And the last event of all says up to when moments are passed.
    """
    left_out_at: dict[str, int | None] = {}
    end = last = None
    for numbered in events:
        profile, time, name, _, kind, _, _ = numbered[1]
        if names is None or name in names or kind != "track" or profile not in left_out_at:
            if left_out_at.get(profile) == time:
                yield numbered[0], (profile, time, "", "", "track", {}, {})
            left_out_at[profile] = None
            if end is None or time >= end:
                end, last = time, None
            yield numbered
        else:
            left_out_at[profile] = time
            if end is None or time > end:
                end, last = time, numbered
    if last is not None:
        yield last


def by_position(file: EventFile, problem: Problem) -> Iterator[Event | ImportFinished | Merged]:
    """Give the entries of an exported log in the order of the log."""
    with DiskSort() as sort:
        for number, line in file.lines():
            entry = thorough(line)
            if isinstance(entry, Unreadable):
                problem(number, entry.problem)
            elif entry.position is None or entry.accepted_at is None:
                problem(number, '"position" and "acceptedAt" are missing: not an exported log')
            else:
                sort.add((entry.position,), line)
        for _, line in sort:
            again = thorough(line)
            assert not isinstance(again, Unreadable)  # it was read before
            yield again


def _first_ones(file: EventFile, problem: Problem) -> Iterator[tuple[int, Taken, bytes]]:
    """Give the events of a file in its order, the first of each message id."""
    with Seen() as seen:
        is_new = seen.is_new
        for number, line in file.lines():
            event = quick(line)
            if event is None:
                read = thorough(line)
                if isinstance(read, Unreadable):
                    problem(number, read.problem)
                    continue
                if isinstance(read, ImportFinished | Merged):
                    continue
                if read.remark:
                    problem(number, read.remark)
                event = taken(read)
            if is_new(event[3]):
                yield number, event, line


def _again(line: bytes) -> Taken:
    event = quick(line)
    if event is None:
        read = thorough(line)
        assert isinstance(read, Event)  # it was one when it was read before
        event = taken(read)
    return event
