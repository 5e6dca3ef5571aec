"""Reads the history of profiles in pages that are bounded in records, bytes and work."""

from collections.abc import Sequence
from dataclasses import dataclass

from hairspring.contracts.event.v1 import event_pb2
from hairspring.log.port import Log, Record
from hairspring.wire.events import read_record

CHUNK = 1_000
MAX_LOOKED_AT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records in log order; `more_after` is the position to go on after, 0 at the end."""

    records: list[event_pb2.EventRecord]
    more_after: int


def _is_event(record: event_pb2.EventRecord) -> bool:
    return record.WhichOneof("body") == "event"


class History:
    """Reads pages of history from a log; `horizon` (ms) is how far back live events are judged."""

    def __init__(self, log: Log, *, max_bytes: int, horizon: int) -> None:
        self._log = log
        self._horizon = horizon
        self._max_bytes = max_bytes

    async def page(
        self,
        workspace: str,
        profiles: Sequence[str],
        shards: Sequence[int],
        *,
        after: int,
        through: int | None,
        names: frozenset[str],
        limit: int,
    ) -> Page:
        """Read one page: only events of `names`, or everything where it is empty.

        A page may hold fewer than `limit` records, or none, and still say that there is more.
        """
        kept: list[event_pb2.EventRecord] = []
        size = looked_at = 0
        while profiles:
            chunk = min(CHUNK, limit - len(kept) if not names else CHUNK)
            found = await self._log.history(
                workspace, profiles, shards, after=after, through=through, limit=chunk
            )
            for record in found:
                read = self._read(record)
                after = record.position
                if names and _is_event(read) and read.event.name not in names:
                    continue
                kept.append(read)
                size += len(record.payload) + 100
                if len(kept) == limit or size >= self._max_bytes:
                    return Page(records=kept, more_after=after)
            looked_at += len(found)
            if len(found) < chunk:
                break
            if looked_at >= MAX_LOOKED_AT:
                return Page(records=kept, more_after=after)
        return Page(records=kept, more_after=0)

    def _read(self, record: Record) -> event_pb2.EventRecord:
        return read_record(
            record.payload,
            position=record.position,
            shard=record.shard,
            workspace=record.workspace,
            profile=record.profile,
            accepted_at=record.accepted_at,
            horizon=self._horizon,
        )
