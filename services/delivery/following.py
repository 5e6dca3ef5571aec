"""The pure fold of transitions over runs: which runs start, which do not, and which end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from hairspring.services.delivery import flows
from hairspring.services.delivery.runs import Entry, Run, RunStatus, run_id_of
from hairspring.wire.flows import Flow

RUNNING = "running"
"""Why a run was not started: the profile is in this flow already."""

Key: TypeAlias = tuple[str, str]
"""A profile: its workspace and its id."""

FlowsOf: TypeAlias = Callable[[str, int], Sequence[Flow]]
"""Answers the flows of a workspace as they are at a plan version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Somebody entered a segment; it sets off flows, or only ends what an older entry began."""

    entry: Entry
    sets_off_flows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Somebody left a segment at `effective_at` (ms, UTC), as the record at `position` tells."""

    shard: int
    workspace: str
    profile: str
    segment: str
    position: int
    effective_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Another profile, `former`, became part of this one, as the record at `position` tells.

    `entered` tells, by segment, which memberships count from an older entry by that (ms, UTC).
    """

    shard: int
    workspace: str
    profile: str
    former: str
    position: int
    entered: Mapping[str, int]


Change: TypeAlias = Entered | Left | Merged


class Book:
    """The runs of some profiles as they stand, and what the fold has changed in them.

    `active` are the runs that go on; `last_starts` the latest start by profile and flow, ms UTC;
    `written` the ids of runs that are there, of entries that were read before.
    """

    def __init__(
        self,
        active: Iterable[Run],
        last_starts: dict[tuple[Key, str], int],
        written: Collection[str] = (),
    ) -> None:
        self._active: dict[tuple[Key, str], Run] = {
            ((run.workspace, run.profile), run.flow): run for run in active
        }
        self._last_starts = dict(last_starts)
        self._written = written
        self._changed: dict[str, Run] = {}

    @property
    def changed(self) -> list[Run]:
        """The runs that are new or not as they were, in the order of their first change."""
        return list(self._changed.values())

    def active_of(self, key: Key) -> list[Run]:
        """Answer the runs of a profile that go on."""
        return [run for (owner, _), run in self._active.items() if owner == key]

    def last_start(self, key: Key, flow: str) -> int | None:
        """Answer when this flow was last started by this profile, ms UTC."""
        return self._last_starts.get((key, flow))

    def is_written(self, run_id: str) -> bool:
        """Tell whether what this entry sets off was decided when it was read before."""
        return run_id in self._written

    def is_running(self, key: Key, flow: str) -> bool:
        """Tell whether the profile is in this flow."""
        return (key, flow) in self._active

    def note(self, run: Run) -> None:
        """Take down how a run stands now."""
        key = (run.workspace, run.profile), run.flow
        self._changed[run.run_id] = run
        if run.status is not RunStatus.NOT_STARTED:
            latest = self._last_starts.get(key, run.started_at)
            self._last_starts[key] = max(latest, run.started_at)
        if run.active:
            self._active[key] = run
        elif key in self._active and self._active[key].run_id == run.run_id:
            del self._active[key]


def fold(book: Book, changes: Iterable[Change], flows_of: FlowsOf) -> list[Run]:
    """Follow the transitions in their order; answers the runs that are new or changed.

    The log may be read again from some way back: what was decided then stays as it is, and what
    has begun since is ended by none of it. What an import tells of earlier times ends nothing that
    began later.
    """
    for change in changes:
        match change:
            case Entered(entry=entry):
                _end_older(book, entry)
                if change.sets_off_flows:
                    _set_off(book, entry, flows_of(entry.workspace, entry.plan_version))
            case Left():
                _end_left(book, change)
            case Merged():
                _count_from_older(book, change)
    return book.changed


def _end_older(book: Book, entry: Entry) -> None:
    """End the runs of an earlier entry into the segment: a new one means that it was left."""
    for run in book.active_of((entry.workspace, entry.profile)):
        older = run.entry_position < entry.position and run.entered_at != entry.entered_at
        if run.segment == entry.segment and older and entry.effective_at >= run.started_at:
            book.note(flows.leave(run, entry.effective_at))


def _set_off(book: Book, entry: Entry, known: Sequence[Flow]) -> None:
    key = (entry.workspace, entry.profile)
    for flow in known:
        if flow.entered != entry.segment or book.is_written(run_of(entry, flow)):
            continue
        run = flows.start(flow, entry, book.last_start(key, flow.name))
        if run.status is not RunStatus.NOT_STARTED and book.is_running(key, flow.name):
            run = not_started(run, RUNNING)
        book.note(run)


def run_of(entry: Entry, flow: Flow) -> str:
    """Name the run of a flow that an entry sets off, or would."""
    return run_id_of(entry.workspace, entry.profile, flow.name, entry.position)


def not_started(run: Run, reason: str) -> Run:
    """Answer the run as one that was never begun."""
    return replace(
        run, status=RunStatus.NOT_STARTED, reason=reason, step=0, due_at=None, wake_at=None,
        ended_at=None,
    )  # fmt: skip


def _count_from_older(book: Book, merged: Merged) -> None:
    """Have the runs go on by the older entry that their memberships count from now."""
    for run in book.active_of((merged.workspace, merged.profile)):
        older = merged.entered.get(run.segment)
        if older is not None and run.entry_position < merged.position and older < run.entered_at:
            book.note(replace(run, entered_at=older))


def _end_left(book: Book, left: Left) -> None:
    for run in book.active_of((left.workspace, left.profile)):
        later = run.entry_position < left.position and run.started_at <= left.effective_at
        if run.segment == left.segment and later:
            book.note(flows.leave(run, left.effective_at))
