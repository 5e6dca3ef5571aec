"""The store in Postgres: one schema, one transaction for each evaluation."""

from collections import Counter
from collections.abc import Collection, Sequence
from importlib import resources
from typing import Any

import asyncpg

from hairspring.database.migrations import Migrations, check_schema_name
from hairspring.engine.state import ProfileState
from hairspring.log.deletions import Deletions
from hairspring.log.port import Appended, Log
from hairspring.ownership.port import Ownership
from hairspring.store import statements
from hairspring.store.departing import noted_deletion
from hairspring.store.port import (
    Adoption,
    Departure,
    Effects,
    Key,
    Page,
    Progress,
    Rebuild,
    SegmentStore,
    Stored,
)
from hairspring.store.quarantine import Mark, Retry, SetAside
from hairspring.store.quarantine_table import QuarantineTable

MIGRATIONS = Migrations(source="store", directory=resources.files(__package__) / "sql")


class PostgresStore(SegmentStore):
    """Keeps everything in the tables of `sql/`, beside the shards and the log of the schema."""

    def __init__(self, pool: asyncpg.Pool, schema: str, ownership: Ownership, log: Log) -> None:
        self.deletions = Deletions(pool, schema, log)
        self._pool = pool
        self._schema = check_schema_name(schema)
        self._ownership = ownership
        self._log = log
        self._quarantine = QuarantineTable(pool, schema)

    def _sql(self, text: str) -> str:
        return text.replace("{schema}", self._schema)

    async def load(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """Read profiles; one that is not known comes with a new state."""
        columns = _columns(list(keys), 3)
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(self._sql(statements.LOAD_PROFILES), *columns)
            waiting = await connection.fetch(self._sql(statements.LOAD_REBUILDS), *columns)
        found = {key: Stored(state=ProfileState()) for key in keys}
        for shard, workspace, profile, state, due_at, fill in rows:
            found[Key(shard, workspace, profile)] = Stored(state=state, due_at=due_at, fill=fill)
        for row in waiting:
            rebuild = _rebuild(row)
            found[rebuild.key].rebuilds.append(rebuild)
        return found

    async def commit(self, effects: Effects) -> list[Appended]:
        """Write everything in one transaction that begins with the fence."""
        async with self._pool.acquire() as connection, connection.transaction():
            adoption = effects.adoption
            await self._ownership.fence(
                connection,
                effects.owned,
                effects.position,
                plan_version=adoption.version if adoption is not None else None,
            )
            gone = await self._depart(connection, effects.departures)
            await self._write(connection, effects)
            if not effects.records:
                return []
            appended = await self._log.append_in(connection, effects.records)
            for one, erased in zip(effects.departures, gone, strict=True):
                noted = noted_deletion(one, effects.records, appended, erased)
                await self.deletions.note_in(connection, noted)
        if effects.departures:
            self.deletions.notice()
        return appended

    async def _depart(
        self, connection: Any, departures: Sequence[Departure]
    ) -> list[dict[str, int]]:
        """Delete all that is kept of profiles; answers how much of each, by kind."""
        erased: list[dict[str, int]] = [{} for _ in departures]
        if not departures:
            return erased
        keys = _columns([one.key for one in departures], 3)
        for kind, statement in statements.DEPART.items():
            rows = await connection.fetch(self._sql(statement), *keys)
            counts = Counter(Key(*row) for row in rows)
            for one, counted in zip(departures, erased, strict=True):
                counted[kind] = counts.pop(one.key, 0)
        return erased

    async def _write(self, connection: Any, effects: Effects) -> None:
        if effects.states:
            rows = [(*saved.key, saved.state, saved.due_at) for saved in effects.states]
            await connection.execute(self._sql(statements.SAVE_PROFILES), *_columns(rows, 5))
        if effects.fills:
            filled = [(*saved.key, saved.state) for saved in effects.fills]
            await connection.execute(self._sql(statements.SAVE_FILLS), *_columns(filled, 4))
        await self._write_members(connection, effects)
        if effects.touched:
            touched = [(*found.key, found.cause, found.fresh) for found in effects.touched]
            await connection.execute(self._sql(statements.TOUCH), *_columns(touched, 5))
        for finish in effects.finishes:
            await connection.execute(
                self._sql(statements.FINISH),
                finish.cause,
                list(finish.positions),
                list(finish.positions.values()),
                finish.through,
                finish.with_flows,
                finish.workspace,
            )
        if effects.rebuilt:
            rebuilt = [(*done.key, done.cause) for done in effects.rebuilt]
            await connection.execute(self._sql(statements.REBUILT), *_columns(rebuilt, 4))
        if effects.adoption is not None:
            await self._adopt(connection, effects, effects.adoption)
        if effects.set_aside or effects.in_vain or effects.released:
            await self._quarantine.write(connection, effects)
        if effects.gone:
            keys = _columns(effects.gone, 3)
            for kind, statement in statements.DEPART.items():
                if kind != "memberships":  # Those have been ended by name.
                    await connection.execute(self._sql(statement), *keys)

    async def _write_members(self, connection: Any, effects: Effects) -> None:
        """Write the last word on each membership."""
        last = {(member.key, member.segment): member.entered_at for member in effects.members}
        begun = [(*key, segment, at) for (key, segment), at in last.items() if at is not None]
        ended = [(*key, segment) for (key, segment), at in last.items() if at is None]
        if begun:
            await connection.execute(self._sql(statements.SAVE_MEMBERS), *_columns(begun, 5))
        if ended:
            await connection.execute(self._sql(statements.END_MEMBERS), *_columns(ended, 4))

    async def _adopt(self, connection: Any, effects: Effects, adoption: Adoption) -> None:
        shards = list(effects.owned)
        for workspace in (*adoption.fill, *adoption.drop):
            await connection.execute(self._sql(statements.DROP_FILLS), shards, workspace)
        for workspace in adoption.fill:
            await connection.execute(self._sql(statements.BEGIN_FILLS), shards, workspace)
        for workspace, segment in adoption.removed:
            await connection.execute(self._sql(statements.END_SEGMENT), shards, workspace, segment)

    async def ready(self, shards: Collection[int], limit: int) -> list[Rebuild]:
        """Read rebuilds that can be done: those for imports first, in each shard by position."""
        rows = await self._pool.fetch(self._sql(statements.READY), list(shards), limit)
        return [_rebuild(row) for row in rows]

    async def filled(self, shards: Collection[int], workspace: str, limit: int | None) -> list[Key]:
        """Read which profiles have been filled, in the order of their keys; None for all."""
        rows = await self._pool.fetch(self._sql(statements.FILLED), list(shards), workspace, limit)
        return [Key(*row) for row in rows]

    async def progress(self, workspace: str) -> Progress:
        """Count how far a workspace has been filled, over all shards."""
        [row] = await self._pool.fetch(self._sql(statements.FILL_PROGRESS), workspace)
        return Progress(filled=row["filled"], waiting=row["waiting"])

    async def due(self, shards: Collection[int], before: int, limit: int) -> list[tuple[Key, int]]:
        """Read profiles that are due before a moment, the earliest first."""
        rows = await self._pool.fetch(self._sql(statements.DUE), list(shards), before, limit)
        return [(Key(*row[:3]), row[3]) for row in rows]

    async def next_due(self, shards: Collection[int]) -> dict[int, int]:
        """Read when the first profile of each shard is due; a shard where none is, is missing."""
        rows = await self._pool.fetch(self._sql(statements.NEXT_DUE), list(shards))
        return {row["shard"]: row["due_at"] for row in rows if row["due_at"] is not None}

    async def timers(
        self, shard: int, after: tuple[int, Key | None], before: int, limit: int
    ) -> list[tuple[Key, int]]:
        """Read due times of one shard before a moment, in their order."""
        start, key = after
        place = ("", "") if key is None else (key.workspace, key.profile)
        rows = await self._pool.fetch(
            self._sql(statements.TIMERS), shard, before, start, *place, limit
        )
        return [(Key(*row[:3]), row[3]) for row in rows]

    async def marks(self, shards: Collection[int]) -> dict[Key, Mark]:
        """Read which profiles have anything set aside."""
        return await self._quarantine.marks(shards)

    async def retries(self, shards: Collection[int], now: int, limit: int) -> list[Retry]:
        """Read profiles that are to be folded anew now: asked for, or due by `now`."""
        return await self._quarantine.retries(shards, now, limit)

    async def want_retry(
        self, workspace: str, profiles: Collection[str] | None, *, with_flows: bool
    ) -> list[Retry]:
        """Ask that profiles be folded anew (None for all); answers those that are set aside."""
        return await self._quarantine.want_retry(workspace, profiles, with_flows=with_flows)

    async def quarantine(
        self, workspace: str, profile: str | None, after: tuple[str, int, str], limit: int
    ) -> list[SetAside]:
        """List what is set aside, by (profile, position, what), after the one given."""
        return await self._quarantine.page(workspace, profile, after, limit)

    async def standing(self, key: Key) -> dict[str, int]:
        """Read the segments that a profile is in, and since when, as was told."""
        rows = await self._pool.fetch(self._sql(statements.STANDING), *key)
        return {row["segment"]: row["entered_at"] for row in rows}

    async def members(self, workspace: str, segment: str, after: str, limit: int) -> list[Page]:
        """List the members of a segment by profile, after the profile given."""
        rows = await self._pool.fetch(
            self._sql(statements.MEMBERS), workspace, segment, after, limit
        )
        return [Page(row["profile"], row["entered_at"]) for row in rows]

    async def count(self, workspace: str) -> dict[str, int]:
        """Count the members of each segment that has any."""
        rows = await self._pool.fetch(self._sql(statements.COUNT), workspace)
        return {row["segment"]: row["members"] for row in rows}


def _columns(rows: list[Any], width: int) -> list[list[Any]]:
    """Turn rows into the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _rebuild(row: Any) -> Rebuild:
    shard, workspace, profile, cause, fresh, position, through, with_flows = row
    return Rebuild(
        key=Key(shard, workspace, profile),
        cause=cause,
        fresh=fresh,
        position=position,
        through=through,
        with_flows=with_flows,
    )
