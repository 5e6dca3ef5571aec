"""A replica's presence: a row with a lease, and a lock that lives as long as its process."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg

from hairspring.database.pool import DRIVER_ERRORS, connect

_ANSWER_SECONDS = 10.0


class Session:
    """The one connection on which a replica is present.

    It is apart from the pool, so that neither a busy pool nor a long statement can delay the lease.
    """

    def __init__(self, url: str, schema: str, replica_id: str, lease_ms: int) -> None:
        self._url = url
        self._schema = schema
        self._replica_id = replica_id
        self._lease_ms = lease_ms
        self._connection: asyncpg.Connection | None = None
        self._locked = False
        self._busy = asyncio.Lock()

    async def renew(self) -> bool:
        """Prolong the lease, connecting as needed; False if the row was gone and is made anew.

        The row is gone at the start, and when another replica has taken this one's shards. Raises
        DatabaseUnavailable or one of DRIVER_ERRORS while the database is away.
        """
        async with self._busy:
            try:
                return await self._renew(await self._connected())
            except TimeoutError:
                self._drop()  # It may be half open; the next one is a new one.
                raise

    async def run(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run a short query beside the pool; raises one of DRIVER_ERRORS."""
        async with self._busy:
            connection = await self._connected()
            return await connection.fetch(query, *arguments, timeout=_ANSWER_SECONDS)

    async def close(self) -> None:
        """Withdraw the row and end the session."""
        async with self._busy:
            connection = self._connection
            if connection is None or connection.is_closed():
                return
            with suppress(*DRIVER_ERRORS):
                await connection.execute(
                    f"DELETE FROM {self._schema}.replicas WHERE replica_id = $1",
                    self._replica_id,
                    timeout=_ANSWER_SECONDS,
                )
                await connection.close(timeout=_ANSWER_SECONDS)
            self._drop()

    async def _connected(self) -> asyncpg.Connection:
        """Answer the connection, a new one if the former was lost."""
        if self._connection is None or self._connection.is_closed():
            self._locked = False
            self._connection = await connect(self._url, name=f"replica-{self._replica_id}"[:63])
        return self._connection

    async def _renew(self, connection: asyncpg.Connection) -> bool:
        """Hold the lock, then write the row: nobody sees a row whose lock is free."""
        if not self._locked:
            # A lost connection may still hold it until the server has noticed; then ask again
            # next time, as the lock tells the others that this replica lives, which it does.
            self._locked = await connection.fetchval(
                f"SELECT pg_try_advisory_lock({self._schema}.replica_key($1))",
                self._replica_id,
                timeout=_ANSWER_SECONDS,
            )
        renewed: str = await connection.execute(
            f"UPDATE {self._schema}.replicas"
            f" SET lease_until = {self._schema}.ownership_clock() + $2 WHERE replica_id = $1",
            self._replica_id,
            self._lease_ms,
            timeout=_ANSWER_SECONDS,
        )
        if renewed == "UPDATE 1":
            return True
        await connection.execute(
            f"INSERT INTO {self._schema}.replicas (replica_id, started_at, lease_until)"
            f" SELECT $1, clock, clock + $2 FROM {self._schema}.ownership_clock() AS clock",
            self._replica_id,
            self._lease_ms,
            timeout=_ANSWER_SECONDS,
        )
        return False

    def _drop(self) -> None:
        """Forget the connection, whatever state it is in."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None
        self._locked = False
