"""Channels to the other services."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from hairspring.runtime.errors import (
    AlreadyExists,
    Conflict,
    Exhausted,
    InvalidInput,
    NotFound,
    NotNow,
    Problem,
    Unavailable,
)

MAX_MESSAGE_BYTES = 16 * 1024 * 1024

_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})

_OPTIONS: list[tuple[str, object]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.primary_user_agent", "hairspring"),
]

_SAID: dict[grpc.StatusCode, type[Problem]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.FAILED_PRECONDITION: NotNow,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Exhausted,
}


@contextmanager
def passed_on() -> Iterator[None]:
    """Tell a caller of ours what another service says, in its words.

    Raises the Problem that it means, Unavailable where that service did not answer.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        kind = _SAID.get(error.code(), Unavailable)
        raise kind(error.details() or error.code().name) from error


def open_channel(address: str) -> grpc.aio.Channel:
    """Open a channel to host:port (or any gRPC target). It connects at the first call, and again.

    Close it with `await channel.close()`, or use it in `async with`.
    """
    return grpc.aio.insecure_channel(address, options=_OPTIONS)
