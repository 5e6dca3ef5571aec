"""The bundled Postgres: the truth of a laptop's Hairspring, or of a test, on the loopback."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from hairspring.embedded import identity
from hairspring.embedded.errors import EmbeddedError, ServerFailed
from hairspring.embedded.identity import Identity
from hairspring.embedded.locks import locked, prepare
from hairspring.embedded.ports import LOOPBACK, free_port, is_free, require_free
from hairspring.embedded.postgres_files import ENVIRONMENT, USER, PostgresFiles
from hairspring.embedded.processes import Child
from hairspring.embedded.programs import postgres_program

DATABASE = "hairspring"

_READY_SECONDS = 120.0  # a start after a crash replays the log first
_STOP_SECONDS = 30.0
_PORT_ATTEMPTS = 5

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "io_method": "sync",
    # A container's /dev/shm is often too small for parallel workers, and no query here needs them.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "logging_collector": "off",
}
# A commit still reaches the operating system, and so outlives a killed server.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


@asynccontextmanager
async def postgres(
    directory: Path,
    *,
    port: int | None = None,
    fsync: bool = True,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[PostgresServer]:
    """Run Postgres on the directory's data, made if absent, until the block ends.

    Listens on 127.0.0.1 alone, on `port` or a free one. `settings` are Postgres's own, over ours.
    Without `fsync` a crash of the machine may cost the data: for tests. Raises `DirectoryInUse`,
    `DirectoryUnusable`, `PortTaken`, `NoUnprivilegedUser` or `ServerFailed`.
    """
    with locked(directory):
        server = PostgresServer(directory, port=port, fsync=fsync, settings=settings)
        try:
            await server.start()
            yield server
        finally:
            await server.stop()


class PostgresServer:
    """A Postgres server that can be stopped, killed, and started again on the same port.

    Whoever uses it without `postgres` holds the directory's lock themselves.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        fsync: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._files = PostgresFiles(directory=directory.absolute())
        self._port = port
        self._fsync = fsync
        self._settings = _SETTINGS | ({} if fsync else _NOT_DURABLE) | dict(settings or {})
        self._identity: Identity | None = None
        self._child: Child | None = None

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1, the same over restarts; known once started."""
        if self._port is None:
            raise EmbeddedError("Postgres has no port before its first start. Call start() first.")
        return self._port

    @property
    def url(self) -> str:
        """The DSN of the database `hairspring`, with its password: not for a log."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Give the DSN of another database of this server, with its password: not for a log."""
        password = self._files.password()
        address = f"{USER}:{password}@{LOOPBACK}:{self.port}"
        # TLS is not offered; a client that hoped for it would look for keys in a home directory.
        return f"postgresql://{address}/{database}?sslmode=disable"

    @property
    def pid(self) -> int:
        """The process id of the postmaster; raises `EmbeddedError` while it does not run."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._child is not None and self._child.running

    async def start(self) -> None:
        """Start it and wait until it takes connections, recovered from a crash if there was one."""
        if self.running:
            return
        prepare(self._files.directory)
        runs_as = self._identity = self._identity or await identity.choose(
            postgres_program("postgres")
        )
        identity.give(self._files.directory, runs_as)
        await self._files.initialise(runs_as, durable=self._fsync)
        self._files.require_readable()
        await self._files.clear_what_a_crash_left()
        await self._start_somewhere(runs_as)
        await self._ensure_database()

    async def stop(self) -> None:
        """End it in order (a fast shutdown); does nothing if it has ended."""
        child, self._child = self._child, None
        if child is not None:
            await child.end((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, _STOP_SECONDS))

    async def kill(self) -> None:
        """End it as a crash would, by SIGKILL; its backends notice and follow."""
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    async def wait(self) -> int:
        """Wait until the server process ends, for whatever reason, and return its status."""
        return await self._running().wait()

    async def _start_somewhere(self, runs_as: Identity) -> None:
        if self._port is not None:
            return await self._start_on(require_free(self._port), runs_as)
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = free_port()
            try:
                return await self._start_on(port, runs_as)
            except ServerFailed:
                # Between the look and the start, another process may have taken the port.
                if attempt == _PORT_ATTEMPTS or is_free(port):
                    raise
        return None

    async def _start_on(self, port: int, runs_as: Identity) -> None:
        settings = self._settings | {"port": str(port)}
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        child = self._child = Child(
            "Postgres",
            [str(postgres_program("postgres")), "-D", str(self._files.data), *options],
            log=self._files.log,
            cwd=self._files.directory,
            environment=ENVIRONMENT,
            identity=runs_as.launch,
            orphaned=signal.SIGINT,
        )

        async def ready() -> bool:
            return self._files.says_ready(child.pid)

        try:
            await child.ready(ready, within=_READY_SECONDS)
        except BaseException:
            await self.stop()
            raise
        self._port = port

    async def _ensure_database(self) -> None:
        """Make the database `hairspring` on the first start."""
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            self.url_of("postgres")
        )
        try:
            known = await connection.fetchval(
                "-- ensure_database --\nSELECT 1 FROM pg_database WHERE datname = $1", DATABASE
            )
            if known is None:
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()

    def _running(self) -> Child:
        if self._child is None:
            raise EmbeddedError("Postgres does not run. Call start() first.")
        return self._child
