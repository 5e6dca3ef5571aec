"""A file so large that two processes share it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.benchmarks import shop
from tests.e2e.terminal import HAIRSPRING
from tests.support.waiting import eventually

DEFINITION = """
kind: Segment
name: carts
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1h}
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("large")
    shop.write(directory / "shop.jsonl", events=120_000, profiles=6_000)
    (directory / "carts.yaml").write_text(DEFINITION)
    return directory


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core is not shared")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_ending_it_leaves_no_process(directory: Path, number: signal.Signals) -> None:
    """However it is ended, Ctrl-C at a terminal included, both processes have gone."""
    process = await asyncio.create_subprocess_exec(
        HAIRSPRING,
        *("simulate", "-f", "carts.yaml", "shop.jsonl"),
        cwd=directory,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    [reader] = await eventually(lambda: _children(process.pid))

    os.killpg(process.pid, number)
    _, errors = await process.communicate()

    assert process.returncode != 0
    assert b"Traceback" not in errors
    await eventually(lambda: not _runs(reader))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid: int) -> bool:
    """Whether a process is there, one that has ended and waits for its parent left out."""
    with suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False
