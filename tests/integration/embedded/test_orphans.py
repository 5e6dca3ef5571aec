"""Servers end with the process that started them, however that ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import asyncpg
import pytest
from hairspring.embedded.postgres import postgres

from tests.support.waiting import eventually

PARENT = """
import asyncio, json, sys
from pathlib import Path
from hairspring.embedded.postgres import postgres
from hairspring.embedded.valkey import valkey

async def main(directory):
    async with postgres(directory / "postgres", fsync=False) as p, valkey(directory / "v") as v:
        print(json.dumps({"pids": [p.pid, v.pid], "url": p.url}), flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


async def parent(directory: Path) -> tuple[asyncio.subprocess.Process, list[int], str]:
    """Start a process that starts both servers, and learn their process ids."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(directory), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    told = json.loads(await process.stdout.readline())
    return process, told["pids"], told["url"]


def alive(pid: int) -> bool:
    """Tell whether a process is there and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
async def test_the_servers_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    """No server is left, whether the parent is killed, interrupted or asked to end."""
    process, pids, url = await parent(tmp_path)
    assert all(alive(pid) for pid in pids)
    client = await asyncpg.connect(url)

    process.send_signal(number)
    await process.wait()

    await eventually(lambda: not any(alive(pid) for pid in pids))
    client.terminate()


async def test_what_a_killed_parent_wrote_is_there(tmp_path: Path) -> None:
    """The directory can be used again at once after everything was killed in the same moment."""
    process, pids, url = await parent(tmp_path)
    client = await asyncpg.connect(url)
    await client.execute("CREATE TABLE kept AS SELECT 42 AS number")
    client.terminate()

    for pid in [process.pid, *pids]:
        os.kill(pid, signal.SIGKILL)
    await process.wait()

    async with postgres(tmp_path / "postgres") as server:
        connection = await asyncpg.connect(server.url)
        assert await connection.fetchval("SELECT number FROM kept") == 42
        await connection.close()


async def test_a_restart_waits_for_the_last_of_an_orphan(tmp_path: Path) -> None:
    """A server that is still ending when the next one starts is waited for."""
    process, _, _ = await parent(tmp_path)
    process.kill()
    await process.wait()
    async with postgres(tmp_path / "postgres", fsync=False) as server:
        assert server.running
