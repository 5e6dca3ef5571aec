"""The keys to workspaces, in Postgres."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from hairspring.runtime.errors import Exhausted, NotFound
from hairspring.runtime.keys import Caller, Scope

MOST_KEYS = 1_000
"""How many keys of a workspace may be good at once."""

MOST_LISTED = 2_000

_COLUMNS = "key_id, workspace, name, scopes, events_per_second, created_at, revoked_at"

# Keys are made so seldom that those who make them may wait for each other.
_LOCK = "/* lock_keys */ SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_COUNT = """/* count_keys */
SELECT count(*) FROM {schema}.keys WHERE workspace = $1 AND revoked_at IS NULL
"""
_CREATE = """/* create_key */
INSERT INTO {schema}.keys
    (key_id, workspace, name, scopes, events_per_second, created_at, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_LIST = f"""/* list_keys */
SELECT {_COLUMNS} FROM {{schema}}.keys
WHERE workspace = $1 AND ($2 OR revoked_at IS NULL)
ORDER BY created_at DESC, key_id DESC LIMIT {MOST_LISTED}
"""
_REVOKE = f"""/* revoke_key */
UPDATE {{schema}}.keys SET revoked_at = coalesce(revoked_at, $3)
WHERE workspace = $1 AND key_id = $2 RETURNING {_COLUMNS}
"""
_LOOK_UP = """/* look_up_keys */
SELECT hash, key_id, workspace, scopes, events_per_second FROM {schema}.keys
WHERE hash = ANY ($1::bytea[]) AND revoked_at IS NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key, without what opens. Times are in ms since the epoch, UTC."""

    key_id: str
    workspace: str
    name: str
    scopes: frozenset[Scope]
    events_per_second: int
    created_at: int
    revoked_at: int | None = None


class KeyTable:
    """Makes, lists, revokes and finds keys in a schema."""

    def __init__(self, pool: asyncpg.Pool, schema: str) -> None:
        self._pool = pool
        self._schema = schema

    async def create(self, key: Key, hashed: bytes) -> None:
        """Keep a new key. Raises Exhausted where a workspace has too many."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK, f"{self._schema}.keys")
            if await connection.fetchval(self._sql(_COUNT), key.workspace) >= MOST_KEYS:
                raise Exhausted(
                    f"{key.workspace} has {MOST_KEYS} keys; revoke those that are not used"
                )
            await connection.execute(
                self._sql(_CREATE),
                key.key_id,
                key.workspace,
                key.name,
                sorted(scope.value for scope in key.scopes),
                key.events_per_second,
                key.created_at,
                hashed,
            )

    async def list(self, workspace: str, *, with_revoked: bool) -> list[Key]:
        """List the keys of a workspace, the latest first."""
        rows = await self._pool.fetch(self._sql(_LIST), workspace, with_revoked)
        return [_key(row) for row in rows]

    async def revoke(self, workspace: str, key_id: str, now: int) -> Key:
        """Revoke a key, at a time in ms, UTC. Raises NotFound."""
        row = await self._pool.fetchrow(self._sql(_REVOKE), workspace, key_id, now)
        if row is None:
            raise NotFound(
                f"there is no key {key_id[:100]!r} in {workspace}; `hairspring keys list` tells "
                "which there are",
                key_id=key_id[:100],
            )
        return _key(row)

    async def look_up(self, hashes: Sequence[bytes]) -> dict[bytes, Caller]:
        """Find the keys that are good by the hashes of their tokens."""
        rows = await self._pool.fetch(self._sql(_LOOK_UP), list(hashes))
        return {
            row["hash"]: Caller(
                key_id=row["key_id"],
                workspace=row["workspace"],
                scopes=frozenset(map(Scope, row["scopes"])),
                events_per_second=row["events_per_second"],
            )
            for row in rows
        }

    def _sql(self, text: str) -> str:
        return text.format(schema=self._schema)


def _key(row: Any) -> Key:
    return Key(**{**row, "scopes": frozenset(map(Scope, row["scopes"]))})
