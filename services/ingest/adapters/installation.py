"""What was decided when Hairspring was installed into this database."""

import asyncpg
from hairspring.log.shards import DEFAULT_SHARD_COUNT
from hairspring.runtime.config import BadSettings


async def settle_shards(pool: asyncpg.Pool, schema: str, wanted: int | None) -> int:
    """Answer the number of shards of this installation; the first call decides it.

    Raises BadSettings when another number is wanted than the one that was decided.
    """
    await pool.execute(
        f"INSERT INTO {schema}.settings (shard_count) VALUES ($1) ON CONFLICT DO NOTHING",
        wanted or DEFAULT_SHARD_COUNT,
    )
    count: int = await pool.fetchval(f"SELECT shard_count FROM {schema}.settings")
    if wanted not in (None, count):
        raise BadSettings(
            f"HAIRSPRING_SHARDS is {wanted}, but this database was installed with {count} shards, "
            "which cannot be changed: unset it, or use another database"
        )
    return count
