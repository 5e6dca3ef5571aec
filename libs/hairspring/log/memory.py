"""The log in memory: for tests and simulations, with a clock that is handed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any

from hairspring.log.links import Linked, Links, Merging, Place, Seen, naming
from hairspring.log.port import (
    ERASED,
    FURTHEST_BARRIER_MS,
    HISTORY_LIMIT,
    TAIL_BATCH,
    Appended,
    Barrier,
    BarrierTooFar,
    Batch,
    DeletionsUnknown,
    Entry,
    Log,
    LogError,
    PositionAhead,
    Record,
    repeat_key_of,
)

_LONGEST_LOOK_MS = 10


class MemoryLog(Log):
    """A log that lives as long as its process; `clock` answers ms since the epoch.

    It remembers repeats forever, and it has no transactions: `append_in` raises LogError.
    """

    def __init__(self, clock: Callable[[], int], *, merging: Merging | None = None) -> None:
        self._clock = clock
        self._merging = merging
        self._links = Links()
        self._anonymous: set[int] = set()  # the positions of what named an anonymous id
        self._records: list[Record] = []  # position p stands at index p - 1
        self._keys: set[bytes] = set()
        self._accepted_at = 0
        self._deletions = 0
        # In the order in which they came, so that a simulated run repeats exactly.
        self._tails: dict[asyncio.Event, None] = {}

    async def append(self, entries: Sequence[Entry], *, knows: int | None = None) -> list[Appended]:
        """Append at once."""
        if knows is not None and knows != self._deletions:
            raise DeletionsUnknown(f"{self._deletions} deletions were made, and {knows} are known")
        accepted_at = max(self._clock(), self._accepted_at)
        results = [self._append(entry, accepted_at) for entry in entries]
        if any(not result.repeated for result in results):
            self._accepted_at = accepted_at
            for event in self._tails:
                event.set()
        return results

    async def append_in(
        self, connection: Any, entries: Sequence[Entry], *, knows: int | None = None
    ) -> list[Appended]:
        """Refuse: there are no transactions here."""
        raise LogError("a log in memory cannot append inside a transaction of a database")

    async def erase_in(
        self,
        connection: Any,
        workspace: str,
        places: Sequence[tuple[int, str]],
        *,
        before: int,
        keep: Collection[int] = (),
        limit: int,
    ) -> int:
        """Erase at once."""
        asked = {(shard, workspace, profile) for shard, profile in places}
        found = [
            record
            for record in self._records[: before - 1]
            if (record.shard, record.workspace, record.profile) in asked
            and record.position not in keep
        ][:limit]
        for record in found:
            self._records[record.position - 1] = record._replace(profile=ERASED, payload=b"")
        return len(found)

    async def unlink_in(self, connection: Any, workspace: str, places: Sequence[Place]) -> None:
        """Forget the links of these ids."""
        self._links.forget(workspace, [name for _, name in places])

    async def count_deletion(self, connection: Any) -> int:
        """Count one more."""
        self._deletions += 1
        return self._deletions

    async def read(
        self,
        after: int,
        limit: int,
        through: int | None = None,
        shards: Collection[int] | None = None,
    ) -> list[Record]:
        """Read a stretch of the log."""
        asked = None if shards is None else set(shards)
        found = (r for r in self._records[after:through] if asked is None or r.shard in asked)
        return [record for record, _ in zip(found, range(limit), strict=False)]

    async def history(
        self,
        workspace: str,
        profiles: Sequence[str],
        shards: Sequence[int],
        after: int = 0,
        through: int | None = None,
        limit: int = HISTORY_LIMIT,
    ) -> list[Record]:
        """Look through the whole log for the profiles."""
        asked = {(shard, workspace, p) for shard, p in zip(shards, profiles, strict=True)}
        found = [
            record
            for record in self._records[after:through]
            if (record.shard, record.workspace, record.profile) in asked
        ]
        return found[:limit]

    async def resolve(
        self, workspace: str, ids: Sequence[str], shards: Sequence[int]
    ) -> dict[str, Linked]:
        """Look at the links."""
        found = {name: self._links.linked(workspace, name) for name in ids}
        return {name: linked for name, linked in found.items() if linked is not None}

    async def lineage(
        self, workspace: str, profiles: Sequence[str], shards: Sequence[int], through: int
    ) -> dict[str, list[Place]]:
        """Look at the links."""
        return {
            profile: self._links.lineage(workspace, (shard, profile), through)
            for shard, profile in zip(shards, profiles, strict=True)
        }

    async def get(self, positions: Collection[int]) -> list[Record]:
        """Read single records."""
        return [self._records[p - 1] for p in sorted(set(positions)) if 0 < p <= len(self._records)]

    async def head(self) -> int:
        """Answer how many records there are."""
        return len(self._records)

    async def barrier(self, through: int, *, most_ms: int | None = None) -> Barrier:
        """Look at the clock, at least every ten milliseconds, until it is beyond `through`."""
        if most_ms is not None:
            through = min(through, self._clock() - 1 + most_ms)
        while (now := self._clock()) <= through:
            if through - now > FURTHEST_BARRIER_MS:
                raise BarrierTooFar(through, now)
            await asyncio.sleep(min(through + 1 - now, _LONGEST_LOOK_MS) / 1000)
        self._accepted_at = max(self._accepted_at, now)
        return Barrier(position=len(self._records), through=self._accepted_at - 1)

    async def tail(
        self,
        positions: Mapping[int, int] | None,
        after: int = 0,
        max_batch: int = TAIL_BATCH,
        stop_at_head: bool = False,
    ) -> AsyncIterator[Batch]:
        """Follow the log, woken by every append."""
        asked = [after] if positions is None else list(positions.values())
        last = len(self._records)
        for position in asked:
            if position > last:
                raise PositionAhead(position, last)
        place = min(asked, default=0)
        appended = asyncio.Event()
        self._tails[appended] = None
        try:
            while not (stop_at_head and place >= last):
                appended.clear()
                window = self._records[place : place + max_batch]
                place += len(window)
                if window:
                    yield Batch(records=_not_had(window, positions), through=place)
                else:
                    await appended.wait()
        finally:
            self._tails.pop(appended, None)

    def _append(self, entry: Entry, accepted_at: int) -> Appended:
        """Append one entry, unless its key is known."""
        if (key := repeat_key_of(entry)) is not None:
            if key in self._keys:
                return Appended(position=0, accepted_at=accepted_at, repeated=True)
            self._keys.add(key)
        shard, profile = self._place(entry, accepted_at)
        position = self._put(shard, entry.workspace, profile, accepted_at, entry.payload)
        if entry.anonymous:
            self._anonymous.add(position)
        return Appended(position=position, accepted_at=accepted_at, repeated=False)

    def _place(self, entry: Entry, accepted_at: int) -> Place:
        """Answer whose an entry is, after its link was carried out."""
        if self._merging is None:
            if entry.link is not None:
                raise LogError("this log does not merge profiles")
            return entry.shard, entry.profile
        into = self._links.place(entry.workspace, (entry.shard, entry.profile))
        if entry.link is None:
            return into
        seen = self._recorded(entry.workspace, entry.link.shard, entry.link.id)
        joined = self._links.join(
            entry.workspace,
            into,
            entry.link,
            seen,
            head=len(self._records),
            accepted_at=accepted_at,
        )
        if joined is not None and joined.recorded:
            away, merged = self._merging.away, self._merging.joined
            for place, payload in (
                (joined.was, naming(away, into[1])),
                (into, naming(merged, joined.was[1])),
            ):
                # What the log says by itself names no known person.
                position = self._put(*_in(place, entry), accepted_at, payload)
                self._anonymous.add(position)
        return into

    def _recorded(self, workspace: str, shard: int, name: str) -> Seen:
        place = (shard, workspace, name)
        found = [r.position for r in self._records if (r.shard, r.workspace, r.profile) == place]
        known = any(position not in self._anonymous for position in found)
        return Seen(records=len(found), known=known)

    def _put(
        self, shard: int, workspace: str, profile: str, accepted_at: int, payload: bytes
    ) -> int:
        record = Record(
            position=len(self._records) + 1,
            shard=shard,
            workspace=workspace,
            profile=profile,
            accepted_at=accepted_at,
            payload=payload,
        )
        self._records.append(record)
        return record.position


def _in(place: Place, entry: Entry) -> tuple[int, str, str]:
    return place[0], entry.workspace, place[1]


def _not_had(records: Sequence[Record], positions: Mapping[int, int] | None) -> list[Record]:
    """Leave out other shards, and what the reader of a shard has had already."""
    if positions is None:
        return list(records)
    return [r for r in records if r.shard in positions and r.position > positions[r.shard]]
