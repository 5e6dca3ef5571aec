"""The bundled Valkey: the timers' fast index, on the loopback, with nothing kept on disk."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from hairspring.embedded.errors import EmbeddedError, ServerFailed
from hairspring.embedded.locks import prepare
from hairspring.embedded.ports import LOOPBACK, free_port, is_free, require_free
from hairspring.embedded.processes import Child
from hairspring.embedded.programs import valkey_program

_READY_SECONDS = 15.0
_STOP_SECONDS = 5.0
_PORT_ATTEMPTS = 5
_ANSWER_BYTES = 65_536

NO_OPTIONS: Mapping[str, str] = {}


@asynccontextmanager
async def valkey(directory: Path, *, port: int | None = None) -> AsyncIterator[ValkeyServer]:
    """Run Valkey until the block ends; `directory` gets its log.

    Listens on 127.0.0.1 alone, on `port` or a free one. Raises `PortTaken`, `DirectoryUnusable`
    or `ServerFailed`.
    """
    server = ValkeyServer(directory, port=port)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


class ValkeyServer:
    """A Valkey server that can be stopped, killed, and started again on the same port.

    Everything in it is lost when it ends, as the design allows: timers are rebuilt from Postgres.
    `options` are further ones of the server's configuration.
    """

    def __init__(
        self, directory: Path, *, port: int | None = None, options: Mapping[str, str] = NO_OPTIONS
    ) -> None:
        self._directory = directory.absolute()
        self._options = options
        self._asked_port = port
        self._port = port
        self._child: Child | None = None

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1, the same over restarts; known once started."""
        if self._port is None:
            raise EmbeddedError("Valkey has no port before its first start. Call start() first.")
        return self._port

    @property
    def url(self) -> str:
        """The address for clients, database 0."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def pid(self) -> int:
        """The process id; raises `EmbeddedError` while it does not run."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._child is not None and self._child.running

    async def start(self) -> None:
        """Start it and wait until it answers a PING."""
        if self.running:
            return None
        if self._port is not None:
            require_free(self._port)
            return await self._start_on(self._port)
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = free_port()
            try:
                return await self._start_on(port)
            except ServerFailed:
                # Between the look and the start, another process may have taken the port.
                if attempt == _PORT_ATTEMPTS or is_free(port):
                    raise
        return None

    async def stop(self) -> None:
        """End it; does nothing if it has ended."""
        child, self._child = self._child, None
        if child is not None:
            await child.end((signal.SIGTERM, _STOP_SECONDS))

    async def kill(self) -> None:
        """End it as a crash would, by SIGKILL."""
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    async def wait(self) -> int:
        """Wait until the server process ends, for whatever reason, and return its status."""
        return await self._running().wait()

    async def _start_on(self, port: int) -> None:
        directory = prepare(self._directory)
        child = Child(
            "Valkey",
            [str(valkey_program()), *_options(directory, port, self._options)],
            log=directory / "valkey.log",
            cwd=directory,
            environment={"LC_ALL": "C", "TZ": "UTC"},
            orphaned=signal.SIGKILL,
        )
        self._child = child
        try:
            await child.ready(lambda: _answers(port, child.pid), within=_READY_SECONDS)
        except BaseException:
            await self.kill()
            raise
        self._port = port

    def _running(self) -> Child:
        if self._child is None:
            raise EmbeddedError("Valkey does not run. Call start() first.")
        return self._child


def _options(directory: Path, port: int, more: Mapping[str, str]) -> list[str]:
    options = {
        "bind": LOOPBACK,
        "port": str(port),
        "protected-mode": "yes",
        "daemonize": "no",
        "dir": str(directory),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        **more,
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]


async def _answers(port: int, pid: int) -> bool:
    """Tell whether our own Valkey, and not another that has the port, answers there."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\nINFO server\r\nQUIT\r\n")
        answer = await asyncio.wait_for(reader.read(_ANSWER_BYTES), 1.0)
        while answer and not answer.endswith(b"+OK\r\n"):
            more = await asyncio.wait_for(reader.read(_ANSWER_BYTES), 1.0)
            if not more:
                break
            answer += more
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
    return answer.startswith(b"+PONG") and f"process_id:{pid}\r\n".encode() in answer
