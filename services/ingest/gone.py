"""Gone: ids whose profiles were deleted. What happened to them before is not recorded any more.

Everything is looked at before it is appended, and the append says how many deletions were known
then: the log refuses it where another was made meanwhile, by whichever replica, and it is looked at
again. So nothing slips in between. While nobody was deleted, that costs a comparison a batch; then
a look into a filter of fixed size for each event, and into a table for those few that it finds.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any
from uuid import UUID
from zlib import crc32

import asyncpg
from hairspring.contracts.event.v1 import event_pb2
from hairspring.log.port import Appended, DeletionsUnknown, Entry
from hairspring.services.ingest.appending import Outcome, Swallowed
from hairspring.wire.times import to_ms

MARK_BITS = 24
"""The filter has so many bits' worth of places: 2 MB, whatever was deleted."""

_MASK = (1 << MARK_BITS) - 1
_SECRET_BYTES = 32

_SETTLE = """/* settle_secret */
UPDATE {schema}.settings SET gone_secret = $1 WHERE gone_secret IS NULL
"""
_KNOWN = """/* known_deletions */
SELECT deletions FROM {schema}.lane
"""
_MARKS = """/* gone_marks */
SELECT mark FROM {schema}.gone WHERE number > $1 AND number <= $2
"""
_LOOK = """/* gone_look */
SELECT key, deleted_at FROM {schema}.gone WHERE key = ANY ($1::uuid[])
"""
_NOTE = """/* note_gone */
INSERT INTO {schema}.gone AS g (key, mark, deleted_at, number)
SELECT key, mark, $3, $4 FROM unnest($1::uuid[], $2::int[]) AS given (key, mark)
ON CONFLICT (key) DO UPDATE SET deleted_at = excluded.deleted_at, number = excluded.number
"""

Put = Callable[[Sequence[Entry], int], Awaitable[list[Appended]]]
"""Appends entries, told how many deletions were looked at. Raises DeletionsUnknown."""


class Gone:
    """Knows whose past is not to be recorded, in the tables of a schema."""

    def __init__(self, pool: asyncpg.Pool, schema: str, secret: bytes) -> None:
        self._pool = pool
        self._schema = schema
        self._secret = secret
        self._known = 0
        self._filter = bytearray()

    @classmethod
    async def open(cls, pool: asyncpg.Pool, schema: str) -> "Gone":
        """Make one that knows all deletions up to now; the first call makes the secret."""
        await pool.execute(_SETTLE.format(schema=schema), secrets.token_bytes(_SECRET_BYTES))
        secret = await pool.fetchval(f"SELECT gone_secret FROM {schema}.settings")
        gone = cls(pool, schema, secret)
        await gone.refresh()
        return gone

    async def append(self, entries: Sequence[Entry], put: Put) -> list[Outcome]:
        """Append entries but for those of the past of somebody who is gone."""
        while True:
            known = self._known  # What another append finds out meanwhile was not looked at here.
            swallowed = await self._swallowed(entries)
            kept = [e for place, e in enumerate(entries) if place not in swallowed]
            try:
                appended = iter(await put(kept if swallowed else entries, known))
            except DeletionsUnknown:
                await self.refresh()
                continue
            if not swallowed:
                return list(appended)
            return [swallowed.get(place) or next(appended) for place in range(len(entries))]

    async def refresh(self) -> None:
        """Find out about deletions that were made since."""
        through = await self._pool.fetchval(self._sql(_KNOWN))
        if through == self._known:
            return
        if not self._filter:
            self._filter = bytearray(1 << (MARK_BITS - 3))
        for row in await self._pool.fetch(self._sql(_MARKS), self._known, through):
            self._filter[row["mark"] >> 3] |= 1 << (row["mark"] & 7)
        self._known = through

    async def note_in(
        self, connection: Any, workspace: str, ids: Sequence[str], *, deleted_at: int, number: int
    ) -> None:
        """Note that ids are gone as of a moment (ms, UTC), by the deletion that was counted so."""
        await connection.execute(
            self._sql(_NOTE),
            [self.key_of(workspace, name) for name in ids],
            [_mark(name) for name in ids],
            deleted_at,
            number,
        )

    def key_of(self, workspace: str, name: str) -> UUID:
        """Answer the keyed hash of an id."""
        digest = blake2b(digest_size=16, key=self._secret)
        for part in (workspace.encode(), name.encode()):
            digest.update(len(part).to_bytes(4, "big"))
            digest.update(part)
        return UUID(bytes=digest.digest())

    async def _swallowed(self, entries: Sequence[Entry]) -> Mapping[int, Swallowed]:
        """Find what is not to be recorded, by its place."""
        if not self._filter:
            return {}
        found = self._filter
        suspects: dict[int, UUID] = {}
        for place, entry in enumerate(entries):
            mark = _mark(entry.profile)
            if found[mark >> 3] >> (mark & 7) & 1:
                suspects[place] = self.key_of(entry.workspace, entry.profile)
        if not suspects:
            return {}
        rows = await self._pool.fetch(self._sql(_LOOK), list(set(suspects.values())))
        deleted_at = {row["key"]: row["deleted_at"] for row in rows}
        return {
            place: Swallowed(deleted_at=at)
            for place, key in suspects.items()
            if (at := deleted_at.get(key)) is not None and _happened_by(entries[place], at)
        }

    def _sql(self, text: str) -> str:
        return text.format(schema=self._schema)


def _mark(name: str) -> int:
    return crc32(name.encode()) & _MASK


def _happened_by(entry: Entry, moment: int) -> bool:
    """Tell whether an event says that it happened up to a moment (ms, UTC)."""
    event = event_pb2.EventRecord.FromString(entry.payload).event
    return event.HasField("occur_time") and to_ms(event.occur_time) <= moment
