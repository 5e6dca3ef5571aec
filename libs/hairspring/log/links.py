"""Links: which ids became part of which profile. `sql/004_links.sql` does the same in Postgres.

An id that is not linked stands for itself. An id that was linked once belongs to that profile for
good; where that profile becomes part of another, so does the id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

Place: TypeAlias = tuple[int, str]
"""Where the records of an id stand: its shard, and the id."""

MOST_IDS = 1_000
"""The most ids that stand for one profile; a link that would make it more is not made."""

MOST_RECORDS = 20_000
"""An anonymous id of which more is recorded is no one person's: only an alias joins it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Says that `id` is the same person's as the profile of the entry that has the link.

    Where it is not `asked` for, as by an identify, an id is joined that only anonymous entries have
    named, and that belongs to nobody yet; where it is, as by an alias, whatever the id stands for.
    """

    id: str
    shard: int
    asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """What an id became part of, at which position and when (ms since the epoch, UTC)."""

    profile: str
    position: int
    accepted_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """How a log writes that profiles were merged: the tags of two fields of protobuf messages.

    `away` is of the record of the profile that ends, and `joined` of that which goes on; in each,
    the field 1 names the other profile.
    """

    away: bytes
    joined: bytes


def naming(tag: bytes, profile: str) -> bytes:
    """Write the payload of a record that names another profile."""
    return _field(tag, _field(b"\x0a", profile.encode()))


def _field(tag: bytes, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([128 + size % 128, size // 128])
    return tag + length + content


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """How an id stands: its shard, whose it is now, what it became part of and where.

    `ids` counts how many ids stand for it.
    """

    shard: int
    profile: Place
    joined: str
    position: int = 0
    accepted_at: int = 0
    ids: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is recorded under an id: how much, and whether a known person was ever named by it."""

    records: int
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A profile that becomes part of another; `recorded` tells whether anything is known of it."""

    was: Place
    recorded: bool


class Links:
    """The links of one log, by (workspace, id)."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], _Row] = {}

    def place(self, workspace: str, place: Place) -> Place:
        """Answer whose an id is now."""
        row = self._rows.get((workspace, place[1]))
        return place if row is None else row.profile

    def linked(self, workspace: str, name: str) -> Linked | None:
        """Answer what an id became part of; None where it stands for itself."""
        row = self._rows.get((workspace, name))
        if row is None or row.profile[1] == name:
            return None
        return Linked(profile=row.profile[1], position=row.position, accepted_at=row.accepted_at)

    def lineage(self, workspace: str, place: Place, through: int) -> list[Place]:
        """Answer an id and those that had become part of it at a position, whatever it is now."""
        found = [place]
        for _, name in found:
            found += [
                (row.shard, other)
                for (space, other), row in self._rows.items()
                if space == workspace and row.joined == name != other and row.position <= through
            ]
        return found

    def forget(self, workspace: str, names: Iterable[str]) -> None:
        """Have ids stand for themselves, as if they had never been linked."""
        for name in names:
            self._rows.pop((workspace, name), None)

    def join(
        self, workspace: str, into: Place, link: Link, seen: Seen, *, head: int, accepted_at: int
    ) -> Joined | None:
        """Make an id part of a profile; None where there is nothing to do, or it may not be."""
        row = self._rows.get((workspace, link.id))
        if link.id == into[1] or (row is not None and (not link.asked or row.profile == into)):
            return None
        if not link.asked and (seen.known or seen.records > MOST_RECORDS):
            self._keep(workspace, (link.shard, link.id), 1)
            return None
        was = (link.shard, link.id) if row is None else row.profile
        ids_was = self._ids(workspace, was)
        ids = self._ids(workspace, into) + ids_was
        if ids > MOST_IDS:
            return None
        recorded = row is not None or seen.records > 0
        self._keep(workspace, into, ids)
        for _, name in self.lineage(workspace, was, head)[1:]:
            self._rows[workspace, name] = replace(self._rows[workspace, name], profile=into)
        self._rows[workspace, was[1]] = _Row(
            shard=was[0],
            profile=into,
            joined=into[1],
            position=head + 2 if recorded else head,
            accepted_at=accepted_at,
            ids=ids_was,
        )
        return Joined(was=was, recorded=recorded)

    def _keep(self, workspace: str, place: Place, ids: int) -> None:
        """Note that a profile stands for itself, and how many ids stand for it."""
        row = _Row(shard=place[0], profile=place, joined=place[1], ids=ids)
        self._rows[workspace, place[1]] = row

    def _ids(self, workspace: str, place: Place) -> int:
        row = self._rows.get((workspace, place[1]))
        return 1 if row is None else row.ids
