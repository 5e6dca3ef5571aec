"""The tables of delivery in Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from hairspring.services.delivery.adapters.rows import (
    MESSAGE_COLUMNS,
    RUN_COLUMNS,
    arrays,
    message_of,
    run_of,
    unnested,
)
from hairspring.services.delivery.departing import Departed, Departure, Noted
from hairspring.services.delivery.following import Key
from hairspring.services.delivery.messages import Message, MessageStatus
from hairspring.services.delivery.runs import Run, RunStatus
from hairspring.services.delivery.store import Connection, DeliveryStore, Place
from hairspring.services.delivery.waits import Wake

_ACTIVE = int(RunStatus.ACTIVE)
_PROFILES = "unnest($1::int[], $2::text[], $3::text[]) AS p (shard, workspace, profile)"
_PROFILE_KEY = "(r.shard, r.workspace, r.profile) = (p.shard, p.workspace, p.profile)"
_RUNS = (
    "unnest($1::int[], $2::text[], $3::text[], $4::text[]) AS w (shard, workspace, profile, run_id)"
)
_RUN_KEY = (
    "(r.shard, r.workspace, r.profile, r.run_id) = (w.shard, w.workspace, w.profile, w.run_id)"
)


class PostgresDeliveryStore(DeliveryStore):
    """Reads and writes runs and messages in the tables of a schema."""

    def __init__(self, pool: asyncpg.Pool, schema: str) -> None:
        self._pool = pool
        self._schema = schema
        #: Of each profile, the ids of all that became part of it, and its own.
        self._with_lineage = (
            "WITH RECURSIVE p (workspace, profile, shard, id) AS ("
            "SELECT g.workspace, g.profile, g.shard, g.profile "
            "FROM unnest($1::int[], $2::text[], $3::text[]) AS g (shard, workspace, profile) "
            "UNION SELECT p.workspace, p.profile, f.former_shard, f.former FROM p "
            f"JOIN {schema}.formers f ON f.shard = p.shard "
            "AND f.workspace = p.workspace AND f.profile = p.id)"
        )
        self._upsert_runs = _upsert(
            f"{schema}.runs", RUN_COLUMNS, ("shard", "workspace", "profile", "run_id")
        )
        self._upsert_messages = _upsert(
            f"{schema}.messages",
            MESSAGE_COLUMNS,
            ("shard", "workspace", "profile", "run_id", "step"),
        )

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """Open a transaction on a connection of the pool."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection

    async def active_of(self, places: Sequence[Place]) -> list[Run]:
        """Read the runs of these profiles that go on."""
        # -- active_of: by the index on active runs.
        rows = await self._pool.fetch(
            f"SELECT r.* FROM {_PROFILES} JOIN {self._schema}.runs r ON {_PROFILE_KEY} "
            f"WHERE r.status = {_ACTIVE}",
            *_columns(places, 3),
        )
        return [run_of(row) for row in rows]

    async def last_starts(self, places: Sequence[Place]) -> dict[tuple[Key, str], int]:
        """Read when each flow was last started by these profiles, ms UTC."""
        # -- last_starts: what a cooldown is measured from.
        rows = await self._pool.fetch(
            f"{self._with_lineage} "
            "SELECT p.workspace, p.profile, r.flow, max(r.started_at) AS started_at "
            f"FROM p JOIN {self._schema}.runs r ON r.shard = p.shard "
            "AND r.workspace = p.workspace AND r.profile = p.id "
            f"WHERE r.status <> {int(RunStatus.NOT_STARTED)} "
            "GROUP BY p.workspace, p.profile, r.flow",
            *_columns(places, 3),
        )
        return {
            ((row["workspace"], row["profile"]), row["flow"]): row["started_at"] for row in rows
        }

    async def lineage(self, place: Place) -> list[Place]:
        """Follow the rows of formers."""
        rows = await self._pool.fetch(
            f"{self._with_lineage} SELECT shard, workspace, id FROM p ORDER BY id <> profile, id",
            *_columns([place], 3),
        )
        return [(row["shard"], row["workspace"], row["id"]) for row in rows]

    async def runs_of(self, wakes: Sequence[Wake]) -> list[Run]:
        """Read the runs that these wake-ups are for, whatever their status."""
        # -- runs_of: by primary key.
        rows = await self._pool.fetch(
            f"SELECT r.* FROM {_RUNS} JOIN {self._schema}.runs r ON {_RUN_KEY}",
            *_keys(wakes),
        )
        return [run_of(row) for row in rows]

    async def messages_of(self, wakes: Sequence[Wake]) -> list[Message]:
        """Read every message of these runs."""
        # -- messages_of: by the leading columns of the primary key.
        rows = await self._pool.fetch(
            f"SELECT r.* FROM {_RUNS} JOIN {self._schema}.messages r ON {_RUN_KEY}",
            *_keys(wakes),
        )
        return [message_of(row) for row in rows]

    async def sending_in(self, shards: Sequence[int]) -> list[Message]:
        """Read the messages of these shards that somebody was handing over."""
        # -- sending_in: by its own small index.
        rows = await self._pool.fetch(
            f"SELECT * FROM {self._schema}.messages "
            f"WHERE shard = ANY($1::int[]) AND status = {int(MessageStatus.SENDING)}",
            list(shards),
        )
        return [message_of(row) for row in rows]

    async def waking(
        self, shard: int, after: tuple[int, str], before: int, limit: int
    ) -> list[tuple[Wake, int]]:
        """List the runs of a shard to be looked at before a time (ms, UTC), the earliest first.

        Page on with the `wake_at` and the run id of the last one as `after`.
        """
        # -- waking: what the delay queue is filled from, by its own index.
        rows = await self._pool.fetch(
            f"SELECT shard, workspace, profile, run_id, wake_at FROM {self._schema}.runs "
            "WHERE shard = $1 AND (wake_at, run_id) > ($2, $3) AND wake_at < $4 "
            "ORDER BY wake_at, run_id LIMIT $5",
            shard,
            *after,
            before,
            limit,
        )
        return [(_wake(row), row["wake_at"]) for row in rows]

    async def overdue(self, shards: Sequence[int], before: int, limit: int) -> list[Wake]:
        """List the runs of these shards that should have been looked at by `before` (ms, UTC)."""
        # -- overdue: the earliest first.
        rows = await self._pool.fetch(
            f"SELECT shard, workspace, profile, run_id FROM {self._schema}.runs "
            "WHERE shard = ANY($1::int[]) AND wake_at <= $2 ORDER BY wake_at LIMIT $3",
            list(shards),
            before,
            limit,
        )
        return [_wake(row) for row in rows]

    async def depart(self, connection: Connection, departure: Departure) -> Departed:
        """Delete runs by the profile's key, their messages by theirs, and note how many."""
        # -- depart: what was entered after the deletion is of the new profile.
        rows = await connection.fetch(
            f"DELETE FROM {self._schema}.runs WHERE shard = $1 AND workspace = $2 "
            "AND profile = $3 AND entry_position < $4 RETURNING shard, workspace, profile, run_id",
            departure.shard,
            departure.workspace,
            departure.profile,
            departure.position,
        )
        runs = [_wake(row) for row in rows]
        done = await connection.execute(
            f"DELETE FROM {self._schema}.messages r USING {_RUNS} WHERE {_RUN_KEY}", *_keys(runs)
        )
        messages = int(done.rpartition(" ")[2])
        await connection.execute(
            f"DELETE FROM {self._schema}.formers WHERE shard = $1 AND workspace = $2 "
            "AND profile = $3",
            departure.shard,
            departure.workspace,
            departure.profile,
        )
        await connection.execute(
            f"INSERT INTO {self._schema}.deletions VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            departure.workspace,
            departure.deletion_id,
            json.dumps({"runs": len(runs), "messages": messages}),
            departure.at,
        )
        return Departed(runs=runs, messages=messages)

    async def departed(self, workspace: str, deletion_ids: Sequence[str]) -> list[Noted]:
        """Read the rows of deletions."""
        rows = await self._pool.fetch(
            f"SELECT erased, done_at FROM {self._schema}.deletions "
            "WHERE workspace = $1 AND deletion_id = ANY($2::text[])",
            workspace,
            list(deletion_ids),
        )
        return [Noted(erased=json.loads(row["erased"]), done_at=row["done_at"]) for row in rows]

    async def save_runs(self, connection: Connection, runs: Sequence[Run]) -> None:
        """Write runs as they are now."""
        if runs:
            await connection.execute(self._upsert_runs, *arrays(runs, RUN_COLUMNS))

    async def save_formers(
        self, connection: Connection, formers: Sequence[tuple[Place, Place]]
    ) -> None:
        """Note which profiles became part of which."""
        if formers:
            rows = [(*place, former[0], former[2]) for place, former in formers]
            await connection.execute(
                f"INSERT INTO {self._schema}.formers (shard, workspace, profile, former_shard,"
                " former) SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::int[],"
                " $5::text[]) ON CONFLICT DO NOTHING",
                *_columns(rows, 5),
            )

    async def save_messages(self, connection: Connection, messages: Sequence[Message]) -> None:
        """Write messages as they are now."""
        if messages:
            await connection.execute(self._upsert_messages, *arrays(messages, MESSAGE_COLUMNS))

    async def skip_pending(self, connection: Connection, runs: Sequence[Run]) -> list[Message]:
        """Skip what waits to be sent in these runs, which have ended; answers what was skipped."""
        ended = [run for run in runs if run.status is RunStatus.ENDED]
        if not ended:
            return []
        # -- skip_pending: a message that is being handed over stays as it is.
        rows = await connection.fetch(
            f"UPDATE {self._schema}.messages r SET status = {int(MessageStatus.SKIPPED)}, "
            f"reason = w.reason FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], "
            "$5::text[]) AS w (shard, workspace, profile, run_id, reason) "
            f"WHERE {_RUN_KEY} AND r.status = {int(MessageStatus.PENDING)} RETURNING r.*",
            *_keys(ended),
            [run.reason for run in ended],
        )
        return [message_of(row) for row in rows]


def _upsert(table: str, columns: dict[str, str], key: Sequence[str]) -> str:
    """Write the statement that inserts rows, or brings those that exist up to date."""
    names = ", ".join(columns)
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return (
        f"INSERT INTO {table} ({names}) SELECT * FROM {unnested(columns)} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    )


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Turn rows into one list for each column."""
    given = list(rows)
    return [[row[index] for row in given] for index in range(width)]


def _keys(of: Sequence[Wake] | Sequence[Run]) -> list[list[Any]]:
    """Answer the primary keys of runs, one list for each column."""
    return [[getattr(one, name) for one in of] for name in Wake.__slots__]


def _wake(row: Any) -> Wake:
    return Wake(**{name: row[name] for name in Wake.__slots__})
