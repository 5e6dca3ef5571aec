"""Who owns which shards, read from Postgres: for anybody who asks, replica or not."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from hairspring.database.migrations import check_schema_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a shard stands: its owner, its epoch, and how far it is committed.

    `replica_id` is empty where nobody owns it; `address` is where the owner is reached, as
    host:port, and empty where it told none.
    """

    shard: int
    replica_id: str
    address: str
    epoch: int
    position: int
    plan_version: int


class ShardReader:
    """Reads how the shards of a schema stand. Raises one of DRIVER_ERRORS."""

    def __init__(self, pool: asyncpg.Pool, schema: str) -> None:
        self._pool = pool
        self._schema = check_schema_name(schema)

    async def all(self) -> list[Standing]:
        """Read all shards, in their order."""
        rows = await self._pool.fetch(
            "SELECT s.shard, coalesce(r.replica_id, '') AS replica_id,"
            " coalesce(r.address, '') AS address, s.epoch, s.position, s.plan_version"
            f" FROM {self._schema}.shards AS s"
            f" LEFT JOIN {self._schema}.replicas AS r USING (replica_id) ORDER BY s.shard"
        )
        return [Standing(**row) for row in rows]
