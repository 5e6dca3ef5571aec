"""The tools of chaos do what they say: the proxy, the wrong clock, and the schedule."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos import books, run_logs, schedule
from tests.chaos.figures import longest_gap, spread
from tests.support.clocks import SettableClock
from tests.support.proxy import Proxy, proxy
from tests.support.waiting import eventually


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[Proxy]:
    """A proxy to a server that sends back what it is sent."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1_000):
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, proxy(server.sockets[0].getsockname()[1]) as between:
        yield between


async def test_a_proxy_passes_on(echo: Proxy) -> None:
    """What is sent arrives, and so does the answer; a closed connection is closed through."""
    reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
    writer.write(b"tick")
    assert await reader.readexactly(4) == b"tick"
    echo.delay = 0.001
    writer.write(b"tock")
    assert await reader.readexactly(4) == b"tock"
    writer.close()
    await eventually(lambda: echo.connections == 0)


async def test_a_proxy_cuts(echo: Proxy) -> None:
    """A cut ends every connection; one that refuses takes no other until it is told to."""
    reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
    writer.write(b"tick")
    assert await reader.readexactly(4) == b"tick"
    echo.refusing = True
    echo.cut()
    with pytest.raises(ConnectionError):
        await reader.readexactly(1)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await _ask(echo)
    echo.let_flow()
    assert await _ask(echo) == b"tick"


async def test_a_proxy_holds_up(echo: Proxy) -> None:
    """What is held up has not arrived, and arrives once it is let go."""
    assert await _ask(echo) == b"tick"
    echo.hold_up()
    asking = asyncio.create_task(_ask(echo))
    await eventually(lambda: echo.connections == 1)
    assert not asking.done()
    echo.let_flow()
    assert await asking == b"tick"


async def test_a_clock_goes_wrong(tmp_path: Path) -> None:
    """A process has the time that its clock says, while it runs, and ours stays right."""
    clock = SettableClock(tmp_path / "clock")
    code = "import time\nwhile input() == 'time': print(time.time_ns(), time.time(), flush=True)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env={**os.environ, **clock.environment},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip

    async def wrong_by() -> tuple[float, float]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"time\n")
        ns, seconds = (await process.stdout.readline()).split()
        return int(ns) / 1e9 - time.time(), float(seconds) - time.time()

    try:
        assert await wrong_by() == pytest.approx((0, 0), abs=60)
        clock.go_wrong(-7_200)
        assert await wrong_by() == pytest.approx((-7_200, -7_200), abs=60)
        clock.go_right()
        assert await wrong_by() == pytest.approx((0, 0), abs=60)
    finally:
        process.kill()
        await process.wait()


def test_a_seed_is_a_schedule() -> None:
    """The same seed draws the same faults, another one others; each kind is in every schedule."""
    told = [_told(schedule.full(seed)) for seed in (1, 1, 2)]
    assert told[0] == told[1] != told[2]
    kinds = [{one.fault.kind for one in schedule.full(seed).alone} for seed in range(20)]
    assert all(len(one) == 14 for one in kinds)


def test_the_books_notice() -> None:
    """A transition that is missing, untrue, there twice or out of order is noticed."""
    right = [b"1", b"2", b"3"]
    assert books.of_transitions(right, right) == []
    for wrong in ([b"1", b"3"], [b"1", b"2", b"4"], [b"1", b"2", b"2", b"3"], [b"2", b"1", b"3"]):
        assert books.of_transitions(right, wrong)


def test_the_logs_tell_what_was_decided_again(tmp_path: Path) -> None:
    """A run that begins or ends twice, or begins and does not, is noticed, and its lines found."""
    events = {
        "right": ["run_started", "message_put_off", "message_sent", "run_ended"],
        "refused": ["run_not_started"],
        "cut": ["run_ended"],
        "twice": ["run_started", "run_started"],
        "undone": ["run_started", "run_not_started"],
    }
    lines = [
        json.dumps({"event": event, "run_id": run_id})
        for run_id, told in events.items()
        for event in told
    ]
    (tmp_path / "delivery-1.log").write_text("\n".join(["not JSON", '{"event": "cu{}', *lines]))
    about = run_logs.told([tmp_path / "delivery-1.log", tmp_path / "delivery-2.log"])
    assert {run_id: [line["event"] for line in told] for run_id, told in about.items()} == events
    wrong = run_logs.problems(about)
    assert [one.split()[1] for one in wrong] == ["twice:", "undone:"]
    assert len(run_logs.trails(about, wrong)) == 4


def test_figures() -> None:
    """Spreads and gaps are what they are called."""
    assert spread([3.0, 1.0, 2.0]) == {"n": 3, "p50": 2.0, "p99": 2.0, "max": 3.0}
    assert spread([]) == {"n": 0}
    assert longest_gap([5, 12, 40], 10, 50) == 28
    assert longest_gap([], 10, 50) == 40


async def _ask(between: Proxy) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
    try:
        writer.write(b"tick")
        return await reader.readexactly(4)
    finally:
        writer.close()


def _told(drawn: schedule.Schedule) -> list[str]:
    return [str(one.fault) for row in (drawn.alone, *drawn.together) for one in row]
