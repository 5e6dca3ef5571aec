"""The HTTP server of the collector: bound, and drained when it is left."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from hairspring.runtime.errors import StartFailed
from hairspring.runtime.logging import get_logger
from hairspring.runtime.server import split_address
from hairspring.services.ingest.collecting.requests import InHand

KEEP_ALIVE_SECONDS = 75.0


BACKLOG = 1024
"""How many connections may wait to be taken."""

_INHERITED = "fd:"
_NO_SOCKET = (
    "HAIRSPRING_INGEST_HTTP={} names no socket that listens; pass one on at the start of the "
    "process (Sockets= of systemd gives fd:3), or write host:port"
)


class NoSuchSocket(StartFailed):
    """The socket for HTTP that was to be passed on is none."""


class HttpPortTaken(StartFailed):
    """The address for HTTP cannot be listened on."""


@dataclass(slots=True)
class HttpServing:
    """A running HTTP server: where it is bound, as host:port; empty where there is none."""

    address: str = ""
    in_hand: InHand | None = None
    drain_seconds: float = 10.0
    _draining: asyncio.Task[None] | None = field(default=None, init=False)

    def drain(self) -> None:
        """Begin to take nothing more, and to answer what is under way."""
        if self.in_hand is not None and self._draining is None:
            self.in_hand.draining = True
            self._draining = asyncio.create_task(self._until_drained(), name="http-drain")

    async def drained(self) -> None:
        """Drain, and wait for the end of it, as long as may be."""
        self.drain()
        if self._draining is not None:
            await self._draining

    async def _until_drained(self) -> None:
        assert self.in_hand is not None
        late = False
        try:
            await asyncio.wait_for(self.in_hand.until_none(), self.drain_seconds)
        except TimeoutError:
            late = True
        get_logger().info("http_drained", in_time=not late)


@asynccontextmanager
async def serve_http(
    listen: str,
    make_app: Callable[[InHand], web.Application],
    *,
    most_requests: int = 512,
    drain_seconds: float = 10.0,
) -> AsyncIterator[HttpServing]:
    """Serve at host:port (port 0: any free one) until the block is left; nowhere if it is "".

    `fd:3` is a socket that listens already, and that whoever started this process keeps open: what
    comes while this process is started again waits in it, and is not refused.
    `drain()` may be called before: what comes then is answered 503. Leaving the block waits up to
    `drain_seconds` for what is under way. Raises StartFailed.
    """
    if not listen:
        yield HttpServing()
        return
    where = _inherited(listen) if listen.startswith(_INHERITED) else split_address(listen)
    in_hand = InHand(most_requests)
    runner = web.AppRunner(
        make_app(in_hand),
        access_log=None,
        shutdown_timeout=0.2,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
    )
    await runner.setup()
    try:
        site = _site(runner, where)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise _cannot(listen, error) from None
    serving = HttpServing(_shown(runner.addresses[0]), in_hand, drain_seconds)
    get_logger().info("collector_started", address=serving.address)
    try:
        yield serving
    finally:
        serving.drain()
        with contextlib.suppress(RuntimeError):
            await site.stop()
        await serving.drained()
        await runner.cleanup()


def _site(runner: web.AppRunner, where: socket.socket | tuple[str, int]) -> web.BaseSite:
    if isinstance(where, socket.socket):
        return web.SockSite(runner, where, backlog=BACKLOG)
    host, port = where
    return web.TCPSite(runner, host.strip("[]"), port, backlog=BACKLOG)


def _inherited(listen: str) -> socket.socket:
    """Take the listening socket of a number. Raises NoSuchSocket."""
    number = listen.removeprefix(_INHERITED)
    try:
        found = socket.socket(fileno=int(number))
    except (ValueError, OSError):
        raise NoSuchSocket(_NO_SOCKET.format(listen)) from None
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        found.detach()
        raise NoSuchSocket(_NO_SOCKET.format(listen))
    return found


def _shown(bound: Any) -> str:
    """Write where a socket is bound as a client on this machine dials it."""
    if isinstance(bound, str):
        return bound  # A socket of the file system.
    host, port = str(bound[0]), bound[1]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _cannot(listen: str, error: OSError) -> HttpPortTaken:
    why = "the port is taken" if error.errno == errno.EADDRINUSE else str(error.strerror)
    return HttpPortTaken(
        f"ingest cannot listen on {listen} for HTTP: {why}; set HAIRSPRING_INGEST_HTTP to another "
        "address"
    )
