"""`hairspring up`, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest
from aiohttp import ClientSession
from hairspring.cli.stack import USUAL_PORTS
from hairspring.embedded.ports import is_free

from tests.e2e.terminal import alive, make_shell, running_up
from tests.support.waiting import eventually

SEGMENT = """
kind: Segment
name: buyers
enter: {performed: {event: Order Completed}}
"""


async def post(output: str, call: dict[str, str]) -> None:
    """Send a call to where `up` says that SDKs send to, with the key that it tells."""
    url = re.search(r"SDKs send to +(http://\S+)", output)
    key = re.search(r"their write key +(hs_\w+)", output)
    assert url is not None, output
    assert key is not None, output
    async with ClientSession(url[1]) as http:
        assert (await http.post("/v1/track", json=call)).status == 401
        call["writeKey"] = key[1]
        assert (await http.post("/v1/track", json=call)).status == 200


async def test_runs_tells_and_ends(tmp_path: Path) -> None:
    """It tells what happens, other commands find it, Ctrl-C leaves no process, data survives."""
    shell = make_shell(tmp_path)
    (tmp_path / "buyers.yaml").write_text(SEGMENT)
    async with running_up(shell) as up:
        assert (await shell.run("apply", "-f", "buyers.yaml")).code == 0
        tracked = await shell.run("track", "Order Completed", "--profile", "ada")
        assert json.loads(tracked.out)["status"] == "accepted"
        await eventually(lambda: up.output.count("entered  buyers") == 1)
        assert "ada" in up.output
        await post(up.output, {"userId": "bo", "event": "Order Completed"})
        await eventually(lambda: up.output.count("entered  buyers") == 2)
        children = up.children()
        assert len(children) >= 5
        assert await up.end(signal.SIGINT) == 0
        assert alive(children) == []
    if is_free(USUAL_PORTS["evaluator"]):  # else somebody's own `up` answers there
        gone = await shell.run("members", "buyers")
        assert gone.code == 1
        assert "start one with `hairspring up`" in gone.errors
    async with running_up(shell):
        members = await shell.run("members", "buyers")
        profiles = {json.loads(line)["profile"] for line in members.out.splitlines()}
        assert profiles == {"ada", "bo"}


async def test_leaves_nothing_when_killed(tmp_path: Path) -> None:
    """Killed by SIGKILL it leaves no process, and starts again on what it left."""
    shell = make_shell(tmp_path)
    async with running_up(shell) as up:
        children = up.children()
        await up.end(signal.SIGKILL)
        await eventually(lambda: not alive(children), timeout=30)
    async with running_up(shell) as again:
        assert await again.end(signal.SIGTERM) == 0


async def test_a_service_that_dies_is_started_again(tmp_path: Path) -> None:
    """A service that is killed is told, started again at its address, and nothing is lost."""
    shell = make_shell(tmp_path)
    (tmp_path / "buyers.yaml").write_text(SEGMENT)
    async with running_up(shell) as up:
        assert (await shell.run("apply", "-f", "buyers.yaml")).code == 0
        for service in up.services():
            os.kill(service, signal.SIGKILL)
        # It waits, and is not refused.
        await post(up.output, {"type": "track", "event": "Order Completed", "userId": "bo"})
        await eventually(lambda: up.output.count(" is back") == 3, timeout=60)
        assert up.output.count("was ended by SIGKILL; it is started again") == 3
        assert (await shell.run("track", "Order Completed", "--profile", "ada")).code == 0
        await eventually(lambda: "entered  buyers" in up.output, timeout=30)


async def test_a_directory_in_use(tmp_path: Path) -> None:
    """A second `up` on the same data says who works there."""
    shell = make_shell(tmp_path)
    async with running_up(shell, "--data", "data") as up:
        second = await shell.run("up", "--data", "data")
        assert second.code == 1
        assert second.errors.startswith("Error:")
        assert f"is in use by process {up.process.pid}" in second.errors
        assert up.process.returncode is None


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """A port that was asked for and is taken is a clear error, before anything is started."""
    shell = make_shell(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = await shell.run("up", "--data", "data", "--evaluator-port", str(port))
    assert said.code == 1
    assert f"Port {port} on 127.0.0.1 is taken" in said.errors
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("HAIRSPRING_POSTGRES_URL", "postgresql://nobody:secret@127.0.0.1:1/none"),
        ("HAIRSPRING_REDIS_URL", "redis://nobody:secret@127.0.0.1:1/0"),
        ("HAIRSPRING_REDIS_URL", "http://nobody:secret@127.0.0.1:1"),
    ],
)
async def test_a_server_that_does_not_answer(tmp_path: Path, setting: str, url: str) -> None:
    """A server that does not answer is told with its setting, and without its password."""
    shell = make_shell(tmp_path)
    shell.environment.update({setting: url, "HAIRSPRING_START_SECONDS": "1"})
    said = await shell.run("up", "--data", "data")
    assert said.code == 1
    assert setting in said.errors
    assert "secret" not in said.errors
    assert "Traceback" not in said.errors
