"""Channels to the other services."""

import json

import grpc

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


def open_channel(address: str) -> grpc.aio.Channel:
    """Open a channel to host:port (or any gRPC target). It connects at the first call, and again.

    Close it with `await channel.close()`, or use it in `async with`.
    """
    return grpc.aio.insecure_channel(address, options=_OPTIONS)
