"""Postgres stands still or is gone, under load: told quickly, and over without a restart."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest_asyncio
from aiohttp import ClientSession
from hairspring.embedded.postgres import PostgresServer, postgres

from tests.integration.access.test_routes import basic, make_key
from tests.integration.ingest.running import Ingest, ingest, ingest_process
from tests.integration.ingest.test_crashes import Load, check
from tests.support.cluster import TOKEN
from tests.support.waiting import eventually

PATIENCE = 0.5
QUICK = 20.0
"""What a very busy machine may take to say no; without the patience it would be without end."""


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    """A durable Postgres of the test's own, to be stopped and killed."""
    async with postgres(tmp_path / "postgres") as server:
        yield server


class Shop:
    """Sends batches over HTTP all the time, and remembers what each answer was."""

    def __init__(self, service: Ingest, key: str) -> None:
        self._service = service
        self._key = key
        self._number = 0
        self.stop = asyncio.Event()
        self.statuses: Counter[int] = Counter()
        self.acknowledged: list[str] = []
        self.slowest = 0.0

    async def run(self, senders: int = 8) -> None:
        """Send until told to stop."""
        async with ClientSession(self._service.http, headers=basic(self._key)) as http:
            await asyncio.gather(*(self._send(http) for _ in range(senders)))

    async def _send(self, http: ClientSession) -> None:
        while not self.stop.is_set():
            ids = [f"m{self._number + n}" for n in range(20)]
            self._number += len(ids)
            calls = [{"type": "track", "event": "X", "userId": "ada", "messageId": i} for i in ids]
            began = time.monotonic()
            async with http.post("/v1/batch", data=json.dumps({"batch": calls})) as answer:
                self.statuses[answer.status] += 1
                assert "Retry-After" in answer.headers or answer.status == 200
                if answer.status == 200:
                    self.acknowledged += ids
            self.slowest = max(self.slowest, time.monotonic() - began)
            await asyncio.sleep(0.005)


def tree(pid: int) -> list[int]:
    """A process and all that it has started."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Stop a process and its children by SIGSTOP within the block."""
    stopped = tree(pid)
    for one in stopped:
        os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in reversed(stopped):
            os.kill(one, signal.SIGCONT)


async def test_postgres_stands_still_and_ends_under_load(database: PostgresServer) -> None:
    """Senders are told 503 within the patience, nothing is acknowledged, and it goes on again."""
    settings = {"auth": "on", "service_token": TOKEN, "ingest_patience": PATIENCE}
    async with ingest(database.url, **settings) as service:
        key = (await make_key(service, "shop", "write")).token
        shop = Shop(service, key)
        sending = asyncio.create_task(shop.run())
        for outage in ("stands still", "ends"):
            seen = len(shop.acknowledged)
            await eventually(lambda seen=seen: len(shop.acknowledged) > seen + 100, timeout=60)
            if outage == "stands still":
                with standing_still(database.pid):
                    await turned_away(shop)
            else:
                await database.kill()
                await turned_away(shop)
                await database.start()
        seen = len(shop.acknowledged)
        await eventually(lambda: len(shop.acknowledged) > seen + 100, timeout=60)
        shop.stop.set()
        await sending
        assert set(shop.statuses) <= {200, 429, 503}
        assert shop.slowest < QUICK
        recorded = Counter(record.event.message_id for record in await service.read())
        assert set(recorded.values()) == {1}
        assert [one for one in shop.acknowledged if one not in recorded] == []


async def turned_away(shop: Shop) -> None:
    """Wait until many have been told to try again, and see that none is acknowledged meanwhile."""
    before = shop.statuses[503]
    await eventually(lambda: shop.statuses[503] > before + 8, timeout=60)
    acknowledged, before = len(shop.acknowledged), shop.statuses[503]
    await eventually(lambda: shop.statuses[503] > before + 100, timeout=60)
    assert len(shop.acknowledged) == acknowledged


async def test_nothing_acknowledged_is_lost_when_both_are_killed(database: PostgresServer) -> None:
    """SIGKILL of ingest and of Postgres at once, under load: every acknowledged event, once."""
    load = Load()
    async with ingest_process(database.url) as process:
        service = await process.start()
        stop = asyncio.Event()
        sending = asyncio.create_task(load.run(service, stop))
        await eventually(lambda: len(load.acknowledged) > 200, timeout=60)
        await asyncio.gather(process.end(signal.SIGKILL), database.kill())
        stop.set()
        await sending
        await database.start()
        await check(await process.start(), load)
