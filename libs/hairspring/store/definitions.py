"""Definitions in Postgres: every form they ever had, and which is in force at a plan version."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from hairspring.database.migrations import check_schema_name

_IN_FORCE = """
SELECT * FROM (
    SELECT DISTINCT ON (d.kind, d.name)
           d.kind, d.name, d.version, d.removed, d.body, d.source,
           p.applied_at, p.with_flows
    FROM {schema}.definitions AS d JOIN {schema}.plans AS p USING (version)
    WHERE d.workspace = $1 AND d.version <= $2
    ORDER BY d.kind, d.name, d.version DESC
) AS latest WHERE NOT removed
"""

_AT = """
SELECT d.kind, d.name, d.version, d.removed, d.body, d.source,
       p.applied_at, p.with_flows
FROM {schema}.definitions AS d JOIN {schema}.plans AS p USING (version)
WHERE d.workspace = $1 AND d.kind = $2 AND d.name = $3 AND d.version <= $4
ORDER BY d.version DESC LIMIT $5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDefinition:
    """A definition in one of its forms; `body` is canonical JSON, `applied_at` in ms, UTC.

    `with_flows` says that what it changes in memberships at once sets off flows.
    """

    kind: str
    name: str
    version: int
    body: bytes
    source: str
    applied_at: int = 0
    removed: bool = False
    with_flows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A plan version, and when it was applied (milliseconds, UTC)."""

    version: int
    applied_at: int


class PlanMoved(Exception):
    """Somebody else has applied definitions meanwhile; look again."""


class DefinitionStore:
    """Reads and writes definitions. Plan versions count over all workspaces."""

    def __init__(self, pool: asyncpg.Pool, schema: str) -> None:
        self._pool = pool
        self._schema = check_schema_name(schema)

    @property
    def channel(self) -> str:
        """Where a new plan version is notified."""
        return f"{self._schema}_plans"

    async def latest(self) -> int:
        """The latest plan version; 0 where nothing was ever applied."""
        sql = f"SELECT coalesce(max(version), 0) FROM {self._schema}.plans"
        return int(await self._pool.fetchval(sql))

    async def workspaces(self) -> list[str]:
        """The workspaces that have definitions."""
        rows = await self._pool.fetch(f"SELECT DISTINCT workspace FROM {self._schema}.plans")
        return sorted(row["workspace"] for row in rows)

    async def in_force(self, workspace: str, version: int) -> list[StoredDefinition]:
        """The definitions of a workspace at a plan version, by kind and name."""
        sql = _IN_FORCE.replace("{schema}", self._schema)
        return [StoredDefinition(**row) for row in await self._pool.fetch(sql, workspace, version)]

    async def forms(
        self, workspace: str, kind: str, name: str, *, version: int, limit: int
    ) -> list[StoredDefinition]:
        """The forms of a definition up to a plan version, the latest first, removals too."""
        sql = _AT.replace("{schema}", self._schema)
        rows = await self._pool.fetch(sql, workspace, kind, name, version, limit)
        return [StoredDefinition(**row) for row in rows]

    async def changed(self, workspace: str, kind: str) -> list[Applied]:
        """The plan versions that changed definitions of a kind, or put in force what was filled."""
        sql = (
            f"SELECT version, applied_at FROM {self._schema}.plans AS p"
            f" WHERE workspace = $1 AND (activates OR EXISTS ("
            f"SELECT FROM {self._schema}.definitions AS d"
            " WHERE d.workspace = $1 AND d.kind = $2 AND d.version = p.version)) ORDER BY version"
        )
        rows = await self._pool.fetch(sql, workspace, kind)
        return [Applied(**row) for row in rows]

    async def version_at(self, at: int) -> int:
        """The plan version that was the latest at a time (milliseconds, UTC); 0 for none."""
        sql = f"SELECT coalesce(max(version), 0) FROM {self._schema}.plans WHERE applied_at <= $1"
        return int(await self._pool.fetchval(sql, at))

    async def activation(self, version: int) -> tuple[str, int] | None:
        """Whose filled forms a plan version puts in force, and when (milliseconds, UTC)."""
        row = await self._pool.fetchrow(
            f"SELECT workspace, applied_at FROM {self._schema}.plans"
            " WHERE version = $1 AND activates",
            version,
        )
        return None if row is None else (row["workspace"], row["applied_at"])

    async def activated(self, workspace: str, version: int) -> int:
        """The latest plan version up to one given that put filled forms in force; 0 for none."""
        return int(
            await self._pool.fetchval(
                f"SELECT coalesce(max(version), 0) FROM {self._schema}.plans"
                " WHERE workspace = $1 AND version <= $2 AND activates",
                workspace,
                version,
            )
        )

    async def removed(self, workspace: str, kind: str, after: int, version: int) -> set[str]:
        """The names of what was removed after a plan version, up to another."""
        rows = await self._pool.fetch(
            f"SELECT DISTINCT name FROM {self._schema}.definitions"
            " WHERE workspace = $1 AND kind = $2 AND version > $3 AND version <= $4 AND removed",
            workspace,
            kind,
            after,
            version,
        )
        return {row["name"] for row in rows}

    async def requested(self, workspace: str, request_id: str) -> int | None:
        """The plan version that a named request brought; None if it was not carried out."""
        version: int | None = await self._pool.fetchval(
            f"SELECT version FROM {self._schema}.requests WHERE workspace = $1 AND request_id = $2",
            workspace,
            request_id,
        )
        return version

    async def apply(
        self,
        workspace: str,
        changed: Sequence[StoredDefinition],
        *,
        after: int,
        now: int,
        request_id: str = "",
        with_flows: bool = False,
    ) -> int:
        """Writes changed definitions as the next plan version, and tells everybody.

        `after` is the latest version as the caller knows it. Raises PlanMoved if it is not.
        A request that has a name is written down with the version that it brought.
        """
        schema = self._schema
        async with self._pool.acquire() as connection, connection.transaction():
            version = await self._next(connection, workspace, after, now, with_flows=with_flows)
            await connection.executemany(
                f"INSERT INTO {schema}.definitions VALUES ($1, $2, $3, $4, $5, $6, $7)",
                [
                    (workspace, d.kind, d.name, version, d.removed, d.body, d.source)
                    for d in changed
                ],
            )
            if request_id:
                await connection.execute(
                    f"INSERT INTO {schema}.requests VALUES ($1, $2, $3)",
                    workspace,
                    request_id,
                    version,
                )
            await connection.execute("SELECT pg_notify($1, '')", self.channel)
        return version

    async def activate(self, workspace: str, *, after: int, now: int) -> int:
        """Puts what has been filled in force, as the next plan version, and tells everybody.

        `after` is the latest version as the caller knows it. Raises PlanMoved if it is not.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            version = await self._next(connection, workspace, after, now, activates=True)
            await connection.execute("SELECT pg_notify($1, '')", self.channel)
        return version

    async def _next(
        self,
        connection: Any,
        workspace: str,
        after: int,
        now: int,
        *,
        activates: bool = False,
        with_flows: bool = False,
    ) -> int:
        """Writes the plan version that follows one given, if nobody else has."""
        schema = self._schema
        await connection.execute(f"LOCK TABLE {schema}.plans IN EXCLUSIVE MODE")
        latest = await connection.fetchval(f"SELECT coalesce(max(version), 0) FROM {schema}.plans")
        if latest != after:
            raise PlanMoved(f"plan version {latest} was applied meanwhile")
        version = after + 1
        await connection.execute(
            f"INSERT INTO {schema}.plans (version, workspace, applied_at, activates, with_flows)"
            " VALUES ($1, $2, $3, $4, $5)",
            version,
            workspace,
            now,
            activates,
            with_flows,
        )
        return version

    async def waiting_shards(self, version: int) -> list[int]:
        """The shards that are judged by an older plan version."""
        rows = await self._pool.fetch(
            f"SELECT shard FROM {self._schema}.shards WHERE plan_version < $1 ORDER BY shard",
            version,
        )
        return [row["shard"] for row in rows]
