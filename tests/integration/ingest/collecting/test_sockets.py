"""A socket that is kept for the collector while it is away."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest
from aiohttp import ClientSession, web
from hairspring.runtime.errors import StartFailed
from hairspring.services.ingest.collecting.serving import serve_http

from tests.support.waiting import eventually


def app_saying(text: str) -> web.Application:
    """An application that says one thing."""

    async def say(request: web.Request) -> web.Response:
        return web.Response(text=text)

    app = web.Application()
    app.router.add_get("/", say)
    return app


async def test_what_comes_while_nobody_serves_waits() -> None:
    """It is answered by whoever serves next on the socket, and was never refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as kept:
        url = f"http://127.0.0.1:{kept.getsockname()[1]}/"

        def passed() -> str:
            # As a process that is started anew has a descriptor of its own.
            return f"fd:{os.dup(kept.fileno())}"

        async with ClientSession() as http:

            async def asked() -> str:
                async with http.get(url, headers={"Connection": "close"}) as answer:
                    return await answer.text()

            async with serve_http(passed(), lambda _: app_saying("first")) as server:
                assert f"http://{server.address}/" == url
                assert await asked() == "first"
            asking = [asyncio.create_task(asked()) for _ in range(3)]
            await eventually(lambda: backlog_of(kept) == 3)
            assert not any(one.done() for one in asking)
            async with serve_http(passed(), lambda _: app_saying("second")):
                assert await asyncio.gather(*asking) == ["second"] * 3


def backlog_of(listening: socket.socket) -> int:
    """How many connections wait to be taken."""
    port = f":{listening.getsockname()[1]:04X}"
    with open("/proc/net/tcp") as file:
        lines = [line.split() for line in file.readlines()[1:]]
    [queue] = [line[4] for line in lines if line[1].endswith(port) and line[3] == "0A"]
    return int(queue.partition(":")[2], 16)


@pytest.mark.parametrize("number", ["x", "-1", "9999", "closed", "connected"])
async def test_what_is_no_listening_socket_is_told(number: str) -> None:
    """With what to do about it; a socket that does not listen is left open."""
    with socket.socket() as other:
        said = {"connected": str(other.fileno()), "closed": ""}.get(number, number)
        with pytest.raises(StartFailed, match="systemd"):
            async with serve_http(f"fd:{said}", lambda _: app_saying("never")):
                pass
        assert os.fstat(other.fileno())
