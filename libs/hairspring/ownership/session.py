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
    `address` is where other replicas reach this one, as host:port; they see it with the lease.
    """

    def __init__(
        self, url: str, schema: str, replica_id: str, lease_ms: int, address: str = ""
    ) -> None:
        self.address = address
        self._url = url
        self._schema = schema
        self._replica_id = replica_id
        self._lease_ms = lease_ms
        self._connection: asyncpg.Connection | None = None
        self._locked = False
        self._present = False
        self._busy = asyncio.Lock()

    async def open(self) -> None:
        """Connect, without being present yet. Raises DatabaseUnavailable."""
        async with self._busy:
            await self._connected()

    @property
    def present(self) -> bool:
        """Tell whether this replica counts among those that share."""
        return self._present

    @property
    def connected(self) -> bool:
        """Tell whether the session is there, as far as is known."""
        return self._connection is not None and not self._connection.is_closed()

    async def renew(self) -> bool:
        """Be present and prolong the lease, connecting as needed; False if the row is made anew.

        The row is gone at the start, and when another replica has taken this one's shards. Raises
        DatabaseUnavailable or one of DRIVER_ERRORS while the database is away.
        """
        async with self._busy:
            self._present = True
            return await self._renew_row()

    async def keep(self) -> bool:
        """Prolong the lease if present, as `renew` does; who is absent stays so."""
        async with self._busy:
            return await self._renew_row() if self._present else True

    async def leave(self) -> None:
        """Be absent: give up all shards and withdraw the row. Raises one of DRIVER_ERRORS."""
        async with self._busy:
            if not self._present:
                return
            self._present = False
            connection = await self._connected()
            await connection.execute(
                f"SELECT {self._schema}.replica_leave($1)",
                self._replica_id,
                timeout=_ANSWER_SECONDS,
            )

    async def run(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run a short query beside the pool; raises one of DRIVER_ERRORS."""
        async with self._busy:
            connection = await self._connected()
            return await connection.fetch(query, *arguments, timeout=_ANSWER_SECONDS)

    async def close(self) -> None:
        """End the session, and with it the lock."""
        async with self._busy:
            connection = self._connection
            if connection is None or connection.is_closed():
                return
            with suppress(*DRIVER_ERRORS):
                await connection.close(timeout=_ANSWER_SECONDS)
            self._drop()

    async def _connected(self) -> asyncpg.Connection:
        """Answer the connection, a new one if the former was lost."""
        if self._connection is None or self._connection.is_closed():
            self._locked = False
            self._connection = await connect(self._url, name=f"replica-{self._replica_id}"[:63])
        return self._connection

    async def _renew_row(self) -> bool:
        """Hold the lock, then write the row: nobody sees a row whose lock is free."""
        try:
            connection = await self._connected()
            if not self._locked:
                # A lost connection may still hold it until the server has noticed; then ask again
                # next time, as the lock tells the others that this replica lives, which it does.
                self._locked = await connection.fetchval(
                    f"SELECT pg_try_advisory_lock({self._schema}.replica_key($1))",
                    self._replica_id,
                    timeout=_ANSWER_SECONDS,
                )
            renewed: bool = await connection.fetchval(
                f"SELECT {self._schema}.replica_renew($1, $2, $3)",
                self._replica_id,
                self._lease_ms,
                self.address,
                timeout=_ANSWER_SECONDS,
            )
        except TimeoutError:
            self._drop()  # It may be half open; the next one is a new one.
            raise
        return renewed

    def _drop(self) -> None:
        """Forget the connection, whatever state it is in."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None
        self._locked = False
