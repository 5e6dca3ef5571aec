"""A replica as a process of its own: `python replica.py URL NAME LEASE_MS [hold]`.

It acquires all shards and says so, then carries out effects without end and tells each position
that was committed. With `hold` it stays inside the transaction of its first effect instead. Once it
is fenced it says so and ends.
"""

from __future__ import annotations

import asyncio
import json
import sys

import asyncpg
import structlog
from hairspring.database.notices import Notices
from hairspring.database.pool import DRIVER_ERRORS, open_pool
from hairspring.ownership.port import Fenced, Owned, Ownership
from hairspring.ownership.postgres import PostgresOwnership


def tell(what: str, **more: object) -> None:
    """Write one line to whoever started the process."""
    print(json.dumps({"what": what, **more}), flush=True)


async def main(url: str, name: str, lease_ms: int, hold: bool) -> None:
    """Own the shards and work until somebody else does."""
    async with (
        open_pool(url, name=name) as pool,
        Notices.open(url, name=name) as notices,
        PostgresOwnership.open(url, pool, notices, "trial", name, lease_ms=lease_ms) as ownership,
    ):
        owned = await ownership.stand_by()
        tell("acquired", shards=len(owned), epoch=next(iter(owned.values())).epoch)
        position = max(shard.position for shard in owned.values())
        while True:
            position += 1
            try:
                await effect(pool, ownership, owned, position, hold)
            except Fenced:
                tell("fenced")
                return
            except DRIVER_ERRORS as error:
                tell("disturbed", error=type(error).__name__)
                continue
            tell("committed", position=position)
            await asyncio.sleep(0.01)


async def effect(
    pool: asyncpg.Pool, ownership: Ownership, owned: dict[int, Owned], position: int, hold: bool
) -> None:
    """Carry out one effect: a row for its position, of which there must never be two."""
    async with pool.acquire() as connection, connection.transaction():
        await ownership.fence(connection, owned, position)
        await connection.execute("INSERT INTO effects VALUES ($1)", position)
        if hold:
            tell("holding")
            await connection.execute("SELECT pg_sleep(0.05)")
            await asyncio.sleep(1_000)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:] == ["hold"]))
