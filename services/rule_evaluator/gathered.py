"""What follows from a turn: gathered record by record, and told as effects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from hairspring.engine.records import Record, Transition
from hairspring.engine.state import ProfileState
from hairspring.log.port import Entry
from hairspring.ownership.port import Owned
from hairspring.store.port import (
    Departure,
    Effects,
    Filled,
    Key,
    Member,
    Rebuild,
    Saved,
    Stored,
)
from hairspring.wire.transitions import to_contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A record and whose it is."""

    key: Key
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Rang:
    """An alarm that rang: when it was due, how much came of it, and when the next one is due."""

    key: Key
    due_at: int | None
    changes: int
    next_at: int | None


@dataclass(slots=True)
class Gathered:
    """Profiles, and what has been decided of them."""

    stored: dict[Key, Stored]
    told: list[Told] = field(default_factory=list, init=False)
    """What was decided, in order."""
    rang: list[Rang] = field(default_factory=list, init=False)
    """The alarms that rang."""
    alarms: dict[Key, int] = field(default_factory=dict, init=False)
    """The timers to arm: by profile, when it is due (milliseconds, UTC)."""
    departures: list[Departure] = field(default_factory=list, init=False)
    """Profiles that were deleted."""
    _entries: list[Entry] = field(default_factory=list, init=False)
    _changed: dict[Key, None] = field(default_factory=dict, init=False)
    _filled: set[Key] = field(default_factory=set, init=False)
    _members: dict[tuple[Key, str], int | None] = field(default_factory=dict, init=False)
    _touched: list[Rebuild] = field(default_factory=list, init=False)
    _rebuilt: list[Rebuild] = field(default_factory=list, init=False)
    _gone: set[Key] = field(default_factory=set, init=False)

    def absorb(self, other: "Gathered") -> None:
        """Takes over what was gathered for other profiles."""
        self.stored.update(other.stored)
        self.told += other.told
        self.rang += other.rang
        self.alarms.update(other.alarms)
        self._entries += other._entries
        self._changed |= other._changed
        self._filled |= other._filled
        self._members.update(other._members)
        self._touched += other._touched
        self._rebuilt += other._rebuilt
        self.departures += other.departures
        self._gone |= other._gone

    def close(self, key: Key) -> None:
        """Packs a profile that this fold is done with, while what it is made of is at hand."""
        stored = self.stored[key]
        if key in self._changed:
            stored.pack()
        if key in self._filled:
            stored.pack_fill()
        stored.close()

    def effects(self, owned: Mapping[int, Owned], position: int) -> Effects:
        """All that was decided, to be committed under the epochs of the shards concerned."""
        return Effects(
            owned=owned,
            position=position,
            states=[
                Saved(key, self.stored[key].pack(), self.stored[key].due_at)
                for key in sorted(self._changed, key=_shard)
            ],
            fills=[
                Filled(key, filled)
                for key in sorted(self._filled)
                if (filled := self.stored[key].pack_fill()) is not None
            ],
            members=[Member(*named, at) for named, at in self._members.items()],
            records=self._entries,
            touched=self._touched,
            rebuilt=self._rebuilt,
            departures=self.departures,
            gone=sorted(self._gone),
        )

    def _fill(self, key: Key, state: ProfileState) -> None:
        self.stored[key].fill = state
        self._filled.add(key)

    def _arm(self, key: Key, stored: Stored, alarm: int | None, *, rung: bool) -> None:
        earlier = alarm is not None and (stored.due_at is None or alarm < stored.due_at)
        if rung or earlier:
            stored.due_at = alarm
            if alarm is None:
                self.alarms.pop(key, None)
            else:
                self.alarms[key] = alarm

    def _record(self, key: Key, record: Record, with_flows: bool, plan_version: int) -> None:
        self.told.append(Told(key=key, record=record))
        payload = to_contract(record, plan_version=plan_version, with_flows=with_flows)
        self._entries.append(
            Entry(
                shard=key.shard,
                workspace=key.workspace,
                profile=key.profile,
                payload=payload.SerializeToString(),
            )
        )
        if isinstance(record, Transition):
            segment = self.stored[key].state.segments.get(record.segment)
            inside = segment is not None and segment.member
            at = segment.entered_at if segment is not None and inside else None
            self._members[key, record.segment] = at


_shard = itemgetter(0)
