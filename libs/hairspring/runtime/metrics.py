"""Metrics: counted where things happen, and offered to Prometheus over HTTP.

What has to be asked for (a lag, a queue) is asked when somebody scrapes, and not in between.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, generate_latest

from hairspring.runtime.errors import StartFailed
from hairspring.runtime.logging import get_logger
from hairspring.runtime.server import split_address

REQUEST_SECONDS = 10.0
REFRESH_SECONDS = 3.0
LONGEST_LINE = 8_192
MOST_HEADERS = 100

#: From a tenth of a millisecond to five minutes.
SECONDS = (
    *(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)

TIMERS_PENDING = Gauge("hairspring_timers_pending", "Timers in the delay queue, of owned shards.")
TIMERS_AWAY = Gauge("hairspring_timers_away", "1 while the delay queue (Redis) does not answer.")
TIMER_REBUILDS = Counter(
    "hairspring_timer_rebuilds", "Shards of the delay queue that were rebuilt from Postgres."
)
TIMER_SWEEPS = Counter(
    "hairspring_timer_sweeps", "Looks for due work in Postgres while the delay queue was away."
)
SHARDS_OWNED = Gauge("hairspring_shards_owned", "Shards that this replica works on.")
SHARDS_ACQUIRED = Counter(
    "hairspring_shards_acquired", "Shards that this replica began to work on: take-overs too."
)

Refresh = Callable[[], Awaitable[None]]


class MetricsPortTaken(StartFailed):
    """The address for metrics cannot be listened on."""


@asynccontextmanager
async def serve_metrics(listen: str, refresh: Sequence[Refresh] = ()) -> AsyncIterator[str]:
    """Offer GET /metrics at host:port until the block is left; does nothing where `listen` is "".

    Before each answer the `refresh` functions are called; one that fails or takes longer than three
    seconds leaves its metrics as they were. Yields the address. Raises StartFailed.
    """
    if not listen:
        yield ""
        return
    host, port = split_address(listen)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, refresh)

    try:
        server = await asyncio.start_server(answer, host.strip("[]"), port, limit=LONGEST_LINE)
    except OSError as error:
        raise MetricsPortTaken(
            f"metrics cannot be offered at {listen} ({error.strerror}); name another address, or "
            "none at all"
        ) from None
    address = f"{host}:{server.sockets[0].getsockname()[1]}"
    get_logger().info("metrics_offered", address=address)
    try:
        yield address
    finally:
        server.close()


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, refresh: Sequence[Refresh]
) -> None:
    """Answer one request and close."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            method, path = await _request(reader)
            if path.partition("?")[0] != "/metrics":
                _write(writer, "404 Not Found", b"there is only /metrics here\n")
            elif method not in ("GET", "HEAD"):
                _write(writer, "405 Method Not Allowed", b"GET it\n")
            else:
                await asyncio.gather(*(_refreshed(one) for one in refresh))
                body = generate_latest(REGISTRY) if method == "GET" else b""
                _write(writer, "200 OK", body, CONTENT_TYPE_LATEST)
            await writer.drain()
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        pass  # Whoever asked has gone, or does not speak HTTP.
    finally:
        writer.close()


async def _request(reader: asyncio.StreamReader) -> tuple[str, str]:
    """Read a request, and answer its method and path. Raises ValueError for what is none."""
    line = (await reader.readuntil(b"\n")).decode("latin-1")
    method, path, version = line.split()
    if not version.startswith("HTTP/1."):
        raise ValueError(version)
    for _ in range(MOST_HEADERS):
        if not (await reader.readuntil(b"\n")).strip():
            return method, path
    raise ValueError("too many headers")


async def _refreshed(refresh: Refresh) -> None:
    try:
        async with asyncio.timeout(REFRESH_SECONDS):
            await refresh()
    except Exception as error:
        get_logger().debug("metrics_not_refreshed", error=type(error).__name__)


def _write(
    writer: asyncio.StreamWriter, status: str, body: bytes, kind: str = "text/plain; charset=utf-8"
) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode("latin-1") + body)
