"""Channels to the other services."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

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


def open_channel(address: str, token: str = "") -> grpc.aio.Channel:
    """Open a channel to host:port (or any gRPC target). It connects at the first call, and again.

    Its calls bear the token, where there is one. Close it with `await channel.close()`, or use it
    in `async with`.
    """
    channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
    return BearingChannel(channel, token) if token else channel


class BearingChannel(grpc.aio.Channel):  # type: ignore[misc, unused-ignore]
    """A channel whose calls bear a token; an interceptor would cost each of them more."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel = channel
        self._bearing = (("authorization", f"Bearer {token}"),)

    async def __aenter__(self) -> "BearingChannel":
        await self._channel.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._channel.__aexit__(*error)

    async def close(self, grace: float | None = None) -> None:
        """Close it; calls in flight have `grace` seconds."""
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Tell how the connection stands."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the connection stands otherwise."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until it is connected."""
        await self._channel.channel_ready()

    def unary_unary(self, *arguments: Any, **named: Any) -> Any:
        """Make the stub of a call."""
        return self._with_token(self._channel.unary_unary(*arguments, **named))

    def unary_stream(self, *arguments: Any, **named: Any) -> Any:
        """Make the stub of a call that is answered by a stream."""
        return self._with_token(self._channel.unary_stream(*arguments, **named))

    def stream_unary(self, *arguments: Any, **named: Any) -> Any:
        """Make the stub of a call that streams."""
        return self._with_token(self._channel.stream_unary(*arguments, **named))

    def stream_stream(self, *arguments: Any, **named: Any) -> Any:
        """Make the stub of a call that streams, both ways."""
        return self._with_token(self._channel.stream_stream(*arguments, **named))

    def _with_token(self, call: Any) -> Any:
        def bearing(*arguments: Any, metadata: Iterable[Any] | None = None, **named: Any) -> Any:
            return call(*arguments, metadata=(*(metadata or ()), *self._bearing), **named)

        return bearing
