"""A gRPC server with health, reflection and the error table, that drains when it is left."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from hairspring.runtime.access import Access
from hairspring.runtime.client import MAX_MESSAGE_BYTES
from hairspring.runtime.errors import StartFailed
from hairspring.runtime.interceptors import Guard, Traffic
from hairspring.runtime.keys import Scope
from hairspring.runtime.limits import Limits
from hairspring.runtime.logging import get_logger
from hairspring.runtime.scopes import scopes_of

STREAMS_SECONDS = 0.5
"""How long open streams have to end by themselves once the server drains."""

_OPTIONS: list[tuple[str, object]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]

Register = Callable[[grpc.aio.Server], Sequence[str]]
"""Adds the handlers to the server and answers the full names of their services."""


class PortTaken(StartFailed):
    """The address to listen on is in use by another process."""


class BadAddress(StartFailed):
    """The address to listen on cannot be used on this machine."""


@dataclass(slots=True)
class Serving:
    """A running server: where it is bound, and what it says of its health."""

    name: str
    host: str
    port: int
    services: Sequence[str]
    health: health.aio.HealthServicer

    @property
    def address(self) -> str:
        """Answer host:port as a client on this machine writes it."""
        return f"{self.host}:{self.port}"

    async def set_ready(self, ready: bool) -> None:
        """Say SERVING or NOT_SERVING, for the server and for each of its services."""
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if ready
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for service in ("", *self.services):
            await self.health.set(service, status)


@asynccontextmanager
async def serve(
    name: str,
    listen: str,
    register: Register,
    *,
    drain_seconds: float = 10.0,
    ready: bool = True,
    more_errors: Mapping[type[BaseException], grpc.StatusCode] | None = None,
    access: Access,
    limits: Limits | None = None,
) -> AsyncIterator[Serving]:
    """Serve the handlers at host:port (port 0: any free one) until the block is left.

    With ready=False the health is NOT_SERVING until `set_ready(True)`. `more_errors` adds to the
    table of errors, `access` knows who calls, and `limits` how many events may come with each key.
    Raises PortTaken, BadAddress, or NoScope for a call whose contract names none. Leaving the block
    says NOT_SERVING, ends streams with UNAVAILABLE, and waits up to `drain_seconds` for unary calls
    in flight.
    """
    host, port = split_address(listen)
    _check_free(name, listen, host, port)
    traffic = Traffic()
    scopes_by_path: dict[str, Scope] = {}
    guard = Guard(traffic, more_errors, access=access, scopes_by_path=scopes_by_path, limits=limits)
    server = grpc.aio.server(interceptors=[guard], options=_OPTIONS)
    services = list(register(server))
    scopes_by_path.update(scopes_of(services))
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    reflection.enable_server_reflection(
        [*services, health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )
    try:
        bound = server.add_insecure_port(listen)
    except RuntimeError:
        raise _taken(name, listen) from None
    serving = Serving(name=name, host=_dialled(host), port=bound, services=services, health=checks)
    await serving.set_ready(ready)
    await server.start()
    try:
        yield serving
    finally:
        await serving.set_ready(False)
        await _drain(server, traffic, drain_seconds)


async def _drain(server: grpc.aio.Server, traffic: Traffic, drain_seconds: float) -> None:
    """Take no new call, end the streams, let unary calls finish, then stop."""
    unary, streams = traffic.unary, traffic.streams
    stopping = asyncio.create_task(server.stop(drain_seconds), name="server-stop")
    await asyncio.sleep(0)
    traffic.draining.set()
    late = False
    try:
        async with asyncio.timeout(drain_seconds):
            await traffic.until_unary_done()
    except TimeoutError:
        late = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STREAMS_SECONDS):
            await traffic.until_streams_done()
    # The answers are handed to the transport by now; a short grace lets it send them.
    await asyncio.wait({stopping}, timeout=0.2)
    if not stopping.done():
        await server.stop(0)
    await stopping
    get_logger().info("server_drained", calls=unary, streams=streams, in_time=not late)


def split_address(address: str) -> tuple[str, int]:
    """Split host:port (IPv6 in brackets). Raises BadAddress."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise BadAddress(f"{address!r} is not an address to listen on; write host:port")
    return host, int(port)


def _check_free(name: str, listen: str, host: str, port: int) -> None:
    """Bind the address for a moment: gRPC itself does not say why it could not."""
    bare = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bare, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _taken(name, listen) from None
            raise BadAddress(f"{name} cannot listen on {listen}: {error.strerror}") from None


def _taken(name: str, listen: str) -> PortTaken:
    variable = f"HAIRSPRING_{name.upper().replace('-', '_').removeprefix('RULE_')}_LISTEN"
    return PortTaken(
        f"{name} cannot listen on {listen}: the port is taken by another process; "
        f"stop that one, or set {variable}"
    )


def _dialled(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
