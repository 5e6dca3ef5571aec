"""The shared memory adapters, with the invariants that are checked at every effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.log.memory import MemoryLog
from hairspring.log.port import Appended, Entry, Log
from hairspring.ownership.memory import MemoryOwnership, MemoryShards
from hairspring.ownership.port import Owned
from hairspring.services.ingest.app import MERGING
from hairspring.store.memory import MemoryStore
from hairspring.store.port import Effects, Stored


class Broken(AssertionError):
    """Something that must always hold did not."""


Report = Callable[[str], None]
"""Is told what must not be. It is not raised: whoever calls might take it for an outage."""


class WatchedLog(MemoryLog):
    """A log whose order is checked with every append."""

    def __init__(self, clock: Callable[[], int], report: Report) -> None:
        super().__init__(clock, merging=MERGING)
        self._report = report
        self._seen = 0
        self._latest = 0

    async def append(self, entries: Sequence[Entry]) -> list[Appended]:
        """Append, and look at what was appended."""
        appended = await super().append(entries)
        for record in self._records[self._seen :]:
            self._seen += 1
            if record.position != self._seen:
                self._report(f"position {record.position} follows {self._seen - 1}")
            if record.accepted_at < self._latest:
                self._report(f"position {record.position} was accepted before the one before it")
            self._latest = record.accepted_at
        return appended


class WatchedTold(WatchedLog):
    """The evaluator's log: who enters is outside, who leaves is inside."""

    def __init__(self, clock: Callable[[], int], report: Report) -> None:
        super().__init__(clock, report)
        self.inside: set[tuple[str, str]] = set()

    async def append(self, entries: Sequence[Entry]) -> list[Appended]:
        """Append, and keep the memberships."""
        for entry in entries:
            record = transition_pb2.Record.FromString(entry.payload)
            if record.WhichOneof("body") != "transition":
                continue
            named = entry.profile, record.transition.segment
            entered = record.transition.change == transition_pb2.CHANGE_ENTERED
            if entered == (named in self.inside):
                self._report(f"{named} {'entered' if entered else 'left'} twice")
            (self.inside.add if entered else self.inside.discard)(named)
        return await super().append(entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A shard went on to a plan version: `position` is the last that the one before it judges.

    `clocks` are how far the moments of each profile had been passed before (ms, UTC).
    """

    version: int
    position: int
    clocks: Mapping[str, int]


class WatchedRows(MemoryStore):
    """The evaluators' tables; they remember where each shard adopted which plan version."""

    def __init__(self, shards: MemoryShards, log: Log) -> None:
        super().__init__(MemoryOwnership("nobody", shards), log)
        self._shards = shards
        self.adoptions: dict[int, list[Adopted]] = {shard: [] for shard in shards.rows}
        """By shard, in their order."""

    async def commit(self, effects: Effects) -> list[Appended]:
        """Commit, and note an adoption."""
        if effects.adoption is None:
            return await super().commit(effects)
        clocks = {shard: self._clocks(shard) for shard in effects.owned}
        appended = await super().commit(effects)
        for shard in effects.owned:
            position, version = self._shards.rows[shard].position, effects.adoption.version
            adopted = Adopted(version=version, position=position, clocks=clocks[shard])
            self.adoptions[shard].append(adopted)
        return appended

    def _clocks(self, shard: int) -> dict[str, int]:
        states = {
            key.profile: Stored(state=state).state
            for key, (state, _) in self._profiles.items()
            if key.shard == shard
        }
        return {name: state.clock for name, state in states.items() if state.clock is not None}


class WatchedShards(MemoryShards):
    """Shards of which nobody owns one under an epoch that was another's."""

    def __init__(self, count: int, clock: Callable[[], int], report: Report) -> None:
        super().__init__(count, clock)
        self._report = report
        self._owners: dict[tuple[int, int], str] = {}
        self._positions: dict[int, int] = {}

    def check(self) -> None:
        """Compare owners, epochs and positions with what they were."""
        for shard, owner in self.owners.items():
            row: Owned = self.rows[shard]
            if row.position < self._positions.get(shard, 0):
                self._report(f"the position of shard {shard} went back")
            self._positions[shard] = row.position
            if owner is None:
                continue
            known = self._owners.setdefault((shard, row.epoch), owner.replica_id)
            if known != owner.replica_id:
                self._report(f"{owner.replica_id} owns shard {shard} under the epoch of {known}")


def differences(
    wanted: Mapping[str, Sequence[bytes]], found: Mapping[str, Sequence[bytes]], what: str
) -> list[str]:
    """Say where `wanted`, by profile, is not what `found` begins with."""
    problems: list[str] = []
    for profile in sorted(wanted):
        have = found.get(profile, ())
        for number, payload in enumerate(wanted[profile]):
            if number >= len(have) or have[number] != payload:
                other: Any = _shown(have[number]) if number < len(have) else "nothing"
                problems.append(f"{what}: {profile}[{number}]: {_shown(payload)}\n  not {other}")
                break
    return problems


def _shown(payload: bytes) -> str:
    record = transition_pb2.Record.FromString(payload)
    return " ".join(str(record).split())
