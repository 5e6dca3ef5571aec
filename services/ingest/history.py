"""Reads the history of profiles in pages that are bounded in records, bytes and work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hairspring.contracts.event.v1 import event_pb2
from hairspring.log.links import Place
from hairspring.log.port import Log, Record
from hairspring.wire.events import read_record

CHUNK = 1_000
MAX_LOOKED_AT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records in log order; `more_after` is the position to go on after, 0 at the end."""

    records: list[event_pb2.EventRecord]
    more_after: int


def _has_name(record: event_pb2.EventRecord) -> bool:
    return record.WhichOneof("body") in ("event", "merged", "merged_away")


Owners = Mapping[Place, Sequence[Place]]
"""By where records stand: of which of the profiles asked for they are the history."""


def owners_of(asked: Sequence[Place], lineage: Mapping[str, Sequence[Place]]) -> Owners:
    """Turn around what the histories of profiles are made of."""
    found: dict[Place, list[Place]] = {}
    for owner in asked:
        for place in lineage[owner[1]]:
            found.setdefault(place, []).append(owner)
    return found


class History:
    """Reads pages of history from a log; `horizon` (ms) is how far back live events are judged."""

    def __init__(self, log: Log, *, max_bytes: int, horizon: int) -> None:
        self._log = log
        self._horizon = horizon
        self._max_bytes = max_bytes

    async def owners(
        self, workspace: str, profiles: Sequence[str], shards: Sequence[int], through: int
    ) -> Owners:
        """Find whose records make up the histories of profiles, up to a position."""
        lineage = await self._log.lineage(workspace, profiles, shards, through)
        return owners_of(list(zip(shards, profiles, strict=True)), lineage)

    async def head(self) -> int:
        """Answer the last position of the log."""
        return await self._log.head()

    async def page(
        self,
        workspace: str,
        owners: Owners,
        *,
        after: int,
        through: int | None,
        names: frozenset[str],
        limit: int,
    ) -> Page:
        """Read one page: only events of `names`, or everything where it is empty.

        `owners` says whose records are read, and in whose histories they are. A page may hold
        fewer than `limit` records, or none, and still say that there is more.
        """
        kept: list[event_pb2.EventRecord] = []
        shards = [shard for shard, _ in owners]
        profiles = [profile for _, profile in owners]
        size = looked_at = 0
        while profiles:
            chunk = min(CHUNK, limit - len(kept) if not names else CHUNK)
            found = await self._log.history(
                workspace, profiles, shards, after=after, through=through, limit=chunk
            )
            for record in found:
                after = record.position
                for owner in owners[record.shard, record.profile]:
                    read = self._read(record, owner)
                    if names and _has_name(read) and read.event.name not in names:
                        break
                    kept.append(read)
                    size += len(record.payload) + 100
                if len(kept) >= limit or size >= self._max_bytes:
                    return Page(records=kept, more_after=after)
            looked_at += len(found)
            if len(found) < chunk:
                break
            if looked_at >= MAX_LOOKED_AT:
                return Page(records=kept, more_after=after)
        return Page(records=kept, more_after=0)

    def _read(self, record: Record, owner: Place) -> event_pb2.EventRecord:
        shard, profile = owner
        return read_record(
            record.payload,
            position=record.position,
            shard=shard,
            workspace=record.workspace,
            profile=profile,
            accepted_at=record.accepted_at,
            horizon=self._horizon,
            former="" if record.profile == profile else record.profile,
        )
