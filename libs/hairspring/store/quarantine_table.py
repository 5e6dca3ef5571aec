"""The table of what is set aside, in Postgres."""

from collections.abc import Collection
from dataclasses import fields
from typing import Any

import asyncpg

from hairspring.store.port import Effects, Key
from hairspring.store.quarantine import Mark, Retry, SetAside, What

_COLUMNS = [field.name for field in fields(SetAside) if field.name != "key"]

# What fails again keeps what is known of its retries.
SET_ASIDE = f"""
INSERT INTO {{schema}}.quarantine AS q (shard, workspace, profile, {", ".join(_COLUMNS)})
VALUES ($1, $2, $3, {", ".join(f"${place}" for place in range(4, len(_COLUMNS) + 4))})
ON CONFLICT (shard, workspace, profile, position, what) DO UPDATE
SET holds = q.holds OR excluded.holds, error_type = excluded.error_type,
    error_message = excluded.error_message, traceback = excluded.traceback,
    tries = q.tries + excluded.tries, retry_at = excluded.retry_at
"""

HOLD = """
UPDATE {schema}.profiles SET due_at = NULL WHERE (shard, workspace, profile) = ($1, $2, $3)
"""

DROP_REBUILDS = """
DELETE FROM {schema}.rebuilds
WHERE (shard, workspace, profile) = ($1, $2, $3) AND position IS NOT NULL
"""

IN_VAIN = """
UPDATE {schema}.quarantine
SET retries = retries + 1, retried_at = $4, retry_error = $5, retry_at = $6, wanted = false
WHERE (shard, workspace, profile) = ($1, $2, $3)
"""

RELEASE = """
DELETE FROM {schema}.quarantine WHERE (shard, workspace, profile) = ($1, $2, $3)
"""

MARKS = """
SELECT shard, workspace, profile, bool_or(holds) AS holds, count(*)::int AS entries
FROM {schema}.quarantine WHERE shard = ANY ($1::int[]) GROUP BY shard, workspace, profile
"""

RETRIES = """
SELECT shard, workspace, profile, max(retries) AS retries, bool_or(with_flows) AS with_flows
FROM {schema}.quarantine
WHERE shard = ANY ($1::int[]) AND (wanted OR retry_at <= $2)
GROUP BY shard, workspace, profile ORDER BY bool_or(wanted) DESC, min(retry_at) LIMIT $3
"""

WANT = """
WITH wanted AS (
    UPDATE {schema}.quarantine SET wanted = true, with_flows = $3
    WHERE workspace = $1 AND ($2::text[] IS NULL OR profile = ANY ($2))
    RETURNING shard, workspace, profile, retries
)
SELECT shard, workspace, profile, max(retries) AS retries FROM wanted
GROUP BY shard, workspace, profile ORDER BY profile
"""

PAGE = """
SELECT * FROM {schema}.quarantine
WHERE workspace = $1 AND ($2::text IS NULL OR profile = $2)
  AND (profile, position, what) > ($3, $4, $5)
ORDER BY profile, position, what LIMIT $6
"""


class QuarantineTable:
    """Reads and writes what is set aside in one schema."""

    def __init__(self, pool: asyncpg.Pool, schema: str) -> None:
        self._pool = pool
        self._schema = schema

    def _sql(self, text: str) -> str:
        return text.replace("{schema}", self._schema)

    async def write(self, connection: Any, effects: Effects) -> None:
        """Write the part of the effects that is about quarantine, in their transaction."""
        if effects.set_aside:
            await connection.executemany(self._sql(SET_ASIDE), map(_row, effects.set_aside))
        held = [one.key for one in effects.set_aside if one.holds]
        for text in (HOLD, DROP_REBUILDS) if held else ():
            await connection.executemany(self._sql(text), held)
        if effects.in_vain:
            tried = [(*one.key, one.at, one.error, one.retry_at) for one in effects.in_vain]
            await connection.executemany(self._sql(IN_VAIN), tried)
        if effects.released:
            await connection.executemany(self._sql(RELEASE), effects.released)

    async def marks(self, shards: Collection[int]) -> dict[Key, Mark]:
        """Read which profiles have anything set aside."""
        rows = await self._pool.fetch(self._sql(MARKS), list(shards))
        return {Key(*row[:3]): Mark(row["holds"], row["entries"]) for row in rows}

    async def retries(self, shards: Collection[int], now: int, limit: int) -> list[Retry]:
        """Read profiles that are to be folded anew now: asked for, or due by `now`."""
        rows = await self._pool.fetch(self._sql(RETRIES), list(shards), now, limit)
        return [Retry(Key(*row[:3]), row["retries"], row["with_flows"]) for row in rows]

    async def want_retry(
        self, workspace: str, profiles: Collection[str] | None, *, with_flows: bool
    ) -> list[Retry]:
        """Ask that profiles be folded anew (None for all); answers those that are set aside."""
        names = None if profiles is None else list(profiles)
        rows = await self._pool.fetch(self._sql(WANT), workspace, names, with_flows)
        return [Retry(Key(*row[:3]), row["retries"], with_flows) for row in rows]

    async def page(
        self, workspace: str, profile: str | None, after: tuple[str, int, str], limit: int
    ) -> list[SetAside]:
        """List what is set aside, by (profile, position, what), after the one given."""
        rows = await self._pool.fetch(self._sql(PAGE), workspace, profile, *after, limit)
        return [_read(row) for row in rows]


def _row(one: SetAside) -> tuple[Any, ...]:
    values = [getattr(one, name) for name in _COLUMNS]
    return (*one.key, *(v.value if isinstance(v, What) else v for v in values))


def _read(row: Any) -> SetAside:
    known = {name: row[name] for name in _COLUMNS}
    key = Key(row["shard"], row["workspace"], row["profile"])
    return SetAside(**{**known, "key": key, "what": What(row["what"])})
