"""The bundled Valkey."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from hairspring.embedded import EmbeddedError, PortTaken
from hairspring.embedded.ports import free_port
from hairspring.embedded.valkey import ValkeyServer, valkey
from redis.asyncio import Redis


async def test_it_keeps_everything_in_memory_and_evicts_nothing(tmp_path: Path) -> None:
    """Timers are never evicted, and nothing is written to disk."""
    async with valkey(tmp_path) as server, Redis.from_url(server.url) as redis:
        settings = await redis.config_get("maxmemory-policy", "save", "appendonly", "bind")
        assert {_text(name): _text(value) for name, value in settings.items()} == {
            "maxmemory-policy": "noeviction",
            "save": "",
            "appendonly": "no",
            "bind": "127.0.0.1",
        }


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_it_starts_again_empty_on_the_same_port(tmp_path: Path, end: str) -> None:
    """After a crash or a stop it is found at the same address, and has forgotten everything."""
    async with valkey(tmp_path) as server:
        url, pid = server.url, server.pid
        async with Redis.from_url(url) as redis:
            await redis.set("timer", "armed")
        await getattr(server, end)()
        assert not server.running

        await server.start()

        assert (url, True) == (server.url, pid != server.pid)
        async with Redis.from_url(url) as redis:
            assert await redis.get("timer") is None


async def test_an_end_from_outside_is_noticed(tmp_path: Path) -> None:
    """Whoever waits for the server learns of its end."""
    async with valkey(tmp_path) as server:
        os.kill(server.pid, signal.SIGKILL)
        assert await server.wait() == -signal.SIGKILL
        assert not server.running


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port on which something else listens is refused before anything is started."""
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} on 127.0.0.1 is taken"):
            async with valkey(tmp_path, port=port):
                raise AssertionError("unreachable")


def test_before_its_start_it_has_no_address(tmp_path: Path) -> None:
    """Asking too early gets an error that says what to do."""
    server = ValkeyServer(tmp_path)
    with pytest.raises(EmbeddedError, match=r"Call start\(\) first"):
        _ = server.url
    with pytest.raises(EmbeddedError, match=r"Call start\(\) first"):
        _ = server.pid


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
