"""A TCP proxy between a process and a server, which can cut, hold up and slow down what passes."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from socket import SO_LINGER, SOL_SOCKET

from hairspring.embedded.ports import LOOPBACK, free_port

_CHUNK = 65_536
_BY_RESET = struct.pack("ii", 1, 0)


@asynccontextmanager
async def proxy(target_port: int) -> AsyncIterator[Proxy]:
    """Run a proxy to a port of this machine until the block ends."""
    running = Proxy(target_port)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


class Proxy:
    """Passes bytes on, both ways and in order, unless it is told otherwise."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = free_port()
        self.delay = 0.0  #: How long each chunk is on its way, each way, in seconds.
        self.refusing = False  #: Whether new connections are hung up on at once.
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}

    @property
    def address(self) -> str:
        """Where a client connects, as host:port."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections there are now."""
        return len(self._lines)

    async def start(self) -> None:
        """Begin to listen, on the same port each time."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port)

    async def stop(self) -> None:
        """Cut every connection and listen no more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        lines = list(self._lines)
        self.cut()
        if lines:
            await asyncio.wait(lines)

    def cut(self) -> None:
        """End every connection by a reset; new ones may come."""
        for line, ends in list(self._lines.items()):
            for end in ends:
                with suppress(OSError):  # It may have been closed already.
                    end.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _BY_RESET)
            line.cancel()  # and its ends are hung up on

    def hold_up(self) -> None:
        """Let nothing pass any more, and say nothing: a black hole, for new connections too."""
        self._flowing.clear()

    def let_flow(self) -> None:
        """Let pass what was held up, and what comes; take new connections; be as fast as can be."""
        self.delay, self.refusing = 0.0, False
        self._flowing.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one connection."""
        line = asyncio.create_task(self._carry(reader, writer), name="proxy-line")
        self._lines[line] = (writer,)
        line.add_done_callback(self._hang_up)

    def _hang_up(self, line: asyncio.Task[None]) -> None:
        for end in self._lines.pop(line):
            end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until one of its ends closes it."""
        line = asyncio.current_task()
        assert line is not None
        try:
            if self.refusing:
                return
            await self._flowing.wait()
            there, on = await asyncio.open_connection(LOOPBACK, self.target_port)
            self._lines[line] = (writer, on)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, on), name="proxy-there")
                tasks.create_task(self._pump(there, writer), name="proxy-back")
        except* (OSError, _Closed):
            pass

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Pass one way on; raises `_Closed` at its end, so that the other way ends too."""
        while chunk := await source.read(_CHUNK):
            if self.delay:
                await asyncio.sleep(self.delay)
            await self._flowing.wait()
            sink.write(chunk)
            await sink.drain()
        with suppress(OSError):
            sink.close()
            await sink.wait_closed()
        raise _Closed


class _Closed(Exception):
    """One end has closed the connection."""
