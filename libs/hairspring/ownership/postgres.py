"""Ownership in Postgres: leases, epochs, even shares, and take-over from whoever is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from hairspring.database.migrations import Migrations, check_schema_name
from hairspring.database.notices import Notices, wait_until_set
from hairspring.database.pool import DRIVER_ERRORS, DatabaseUnavailable
from hairspring.ownership.port import LEASE_MS, Fenced, Owned, Ownership, ShardCountChanged
from hairspring.ownership.session import Session

_log = structlog.get_logger(__name__)

MIGRATIONS = Migrations(source="ownership", directory=Path(__file__).parent / "sql")

RETRY_SECONDS = 1.0
BUSY_SECONDS = 0.05
PATIENCE_SECONDS = 2.0


async def install_shards(pool: asyncpg.Pool, schema: str, count: int) -> None:
    """Make the shards of a new installation; raises ShardCountChanged if it has another number."""
    installed = await pool.fetchval(f"SELECT {check_schema_name(schema)}.shards_install($1)", count)
    if installed != count:
        raise ShardCountChanged(count, installed)


class PostgresOwnership(Ownership):
    """One replica among those that share the shards in a schema, made with MIGRATIONS.

    Open it with `open`; tasks of its own renew its lease and watch the shares meanwhile.
    """

    def __init__(
        self, pool: asyncpg.Pool, notices: Notices, schema: str, replica_id: str, session: Session
    ) -> None:
        super().__init__(replica_id)
        self._pool = pool
        self._notices = notices
        self._schema = check_schema_name(schema)
        self._session = session
        self._owns = 0
        self._looking = asyncio.Lock()  #: So that nobody sees shares that are being changed.

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        pool: asyncpg.Pool,
        notices: Notices,
        schema: str,
        replica_id: str,
        lease_ms: int = LEASE_MS,
    ) -> AsyncIterator[PostgresOwnership]:
        """Be a replica that is yet to acquire; in the end hand over everything.

        A replica that stops answering is taken for gone after `lease_ms`; one whose process ended,
        within a second. Raises DatabaseUnavailable if the database does not answer at the start.
        """
        session = Session(url, schema, replica_id, lease_ms)
        ownership = cls(pool, notices, schema, replica_id, session)
        await session.open()
        keepers = [
            asyncio.create_task(ownership._keep(lease_ms / 3000), name=f"{schema}-lease-renewal"),
            asyncio.create_task(ownership._watch_shares(), name=f"{schema}-shares"),
        ]
        try:
            yield ownership
        finally:
            await _end(keepers)
            with suppress(DatabaseUnavailable, *DRIVER_ERRORS):
                await ownership.release()
            await session.close()

    async def advertise(self, address: str) -> None:
        """Tell the other replicas where they reach this one, as host:port.

        Raises DatabaseUnavailable or one of DRIVER_ERRORS.
        """
        self._session.address = address
        await self._session.keep()

    async def acquire(self) -> dict[int, Owned]:
        """Come to the share; a former owner that blocks it for two seconds loses its sessions."""
        self._note(await self._session.renew())
        await self._free()
        async with self._looking:
            self.unbalanced.clear()
            rows = await self._take()
        owned = {
            row["shard"]: Owned(
                shard=row["shard"],
                epoch=row["epoch"],
                position=row["position"],
                plan_version=row["plan_version"],
            )
            for row in rows
        }
        if owned:
            self.lost.clear()
        if len(owned) != self._owns:
            _log.info("shards_acquired", schema=self._schema, shards=len(owned), before=self._owns)
        self._owns = len(owned)
        return owned

    async def stand_by(self) -> dict[int, Owned]:
        """Try each second, and at once when somebody hands over."""
        async with self._notices.subscribe(f"{self._schema}_shards") as noticed:
            while True:
                noticed.clear()
                if owned := await self.acquire():
                    return owned
                await wait_until_set(noticed, RETRY_SECONDS)

    async def release(self) -> None:
        """Give up all shards, be absent, and wake the others."""
        await self._session.leave()
        if self._owns:
            _log.info("shards_released", schema=self._schema, shards=self._owns)
        self._owns = 0

    async def fence(
        self,
        connection: Any,
        shards: Mapping[int, Owned],
        position: int,
        *,
        plan_version: int | None = None,
    ) -> None:
        """Lock the shards' rows and move them on, in one statement."""
        ordered = sorted(shards)
        held = await connection.fetchval(
            f"/* fence */ SELECT {self._schema}.shards_fence($1, $2, $3, $4, $5)",
            ordered,
            [shards[shard].epoch for shard in ordered],
            self.replica_id,
            position,
            plan_version,
        )
        if held != len(ordered):
            self.lost.set()
            raise Fenced(shards)

    async def _free(self) -> None:
        """Free the shards of those who are gone, which their effects in flight may block."""
        if not await self._ask("shards_left"):
            return
        async with self._pool.acquire() as connection:
            try:
                await self._unblocked(
                    connection, f"/* free shards */ SELECT {self._schema}.shards_free($1)"
                )
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
                _log.warning("take_over_postponed", schema=self._schema, error=str(error))

    async def _take(self) -> list[asyncpg.Record]:
        """Take up to the share; where that is blocked for long, answer what is owned as it is."""
        async with self._pool.acquire() as connection:
            try:
                return await self._unblocked(
                    connection, f"/* take shards */ SELECT * FROM {self._schema}.shards_take($1)"
                )
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
                _log.warning("take_over_postponed", schema=self._schema, error=str(error))
            rows: list[asyncpg.Record] = await connection.fetch(
                f"SELECT * FROM {self._schema}.shards WHERE replica_id = $1"
                " ORDER BY shard FOR UPDATE NOWAIT",
                self.replica_id,
            )
            return rows

    async def _unblocked(self, connection: Any, query: str) -> list[asyncpg.Record]:
        """Run a part of a take-over, and clear the way for it while it waits."""
        running = asyncio.create_task(
            connection.fetch(query, self.replica_id), name=f"{self._schema}-take-over"
        )
        try:
            while not (await asyncio.wait({running}, timeout=PATIENCE_SECONDS))[0]:
                await self._end_blockers(connection.get_server_pid())
            rows: list[asyncpg.Record] = await running
            return rows
        finally:
            if not running.done():
                running.cancel()
                await asyncio.wait({running})
                if not running.cancelled():
                    running.exception()  # Seen: whoever waits has an error already.

    async def _end_blockers(self, waiting: int) -> None:
        """End the sessions that hold up a take-over: those of an owner that is gone or paused.

        Only a transaction that began with the fence holds these rows, and its owner's lease is
        over. No timeout of Postgres would end it while its client stalls.
        """
        with suppress(*DRIVER_ERRORS, DatabaseUnavailable):
            ended = await self._session.run(
                "SELECT pid, application_name, pg_terminate_backend(pid)"
                " FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids($1))",
                waiting,
            )
            for row in ended:
                _log.warning(
                    "former_owner_session_ended",
                    schema=self._schema,
                    pid=row["pid"],
                    application_name=row["application_name"],
                )

    def _note(self, renewed: bool) -> None:
        """Notice when the row was gone, and the shards were taken with it."""
        if not renewed and self._owns:
            self._owns = 0
            self.lost.set()
            _log.warning("ownership_lost", schema=self._schema, replica_id=self.replica_id)

    async def _keep(self, seconds: float) -> None:
        """Renew the lease in time, whatever happens; while the database is away, try on."""
        while True:
            await asyncio.sleep(seconds)
            try:
                self._note(await self._session.keep())
            except (DatabaseUnavailable, *DRIVER_ERRORS) as error:
                _log.warning("lease_renewal_failed", schema=self._schema, error=str(error))
            except Exception:
                _log.exception("lease_renewal_failed", schema=self._schema)

    async def _watch_shares(self) -> None:
        """Look each second, and at once when told, whether acquiring would change something.

        What those who are gone have left is freed here, while the work on what is owned goes on.
        """
        async with self._notices.subscribe(f"{self._schema}_shards") as noticed:
            known = True
            while True:
                await wait_until_set(noticed, RETRY_SECONDS if known else BUSY_SECONDS)
                noticed.clear()
                try:
                    known = not self._session.present or await self._look()
                except (DatabaseUnavailable, *DRIVER_ERRORS) as error:
                    _log.warning("shares_not_known", schema=self._schema, error=str(error))
                except Exception:
                    _log.exception("shares_not_known", schema=self._schema)

    async def _look(self) -> bool:
        """Set `unbalanced` if it is so; False while it cannot be known, as another is taking.

        A session that was lost is made anew first.
        """
        if not self._session.connected:
            self._note(await self._session.keep())
        await self._free()
        async with self._looking:
            found = await self._ask("shards_look")
            if found == "uneven":
                self.unbalanced.set()
        return found in ("even", "uneven")

    async def _ask(self, function: str) -> Any:
        """Ask on the session what a function of the schema says of this replica."""
        [row] = await self._session.run(f"SELECT {self._schema}.{function}($1)", self.replica_id)
        return row[0]


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended; a cancellation that the driver lost, again."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=RETRY_SECONDS)
