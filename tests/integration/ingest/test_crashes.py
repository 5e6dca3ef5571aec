"""What was acknowledged survives; what cannot be acknowledged is told quickly."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import grpc
import pytest
import pytest_asyncio
from hairspring.contracts.event.v1 import event_service_pb2 as contract
from hairspring.embedded.postgres import PostgresServer, postgres

from tests.integration.ingest.running import Ingest, event, ingest, ingest_process
from tests.support.waiting import eventually


class Load:
    """Senders that each send events one by one, and remember which were acknowledged."""

    def __init__(self, senders: int = 8) -> None:
        self.acknowledged: dict[str, int] = {}
        self.sent: set[str] = set()
        self.refused = 0
        self._senders = senders
        self._number = 0

    async def run(self, service: Ingest, stop: asyncio.Event) -> None:
        """Send until told to stop; errors are counted, and the sender goes on."""
        await asyncio.gather(*(self._send(service, stop) for _ in range(self._senders)))

    async def _send(self, service: Ingest, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._number += 1
            message_id = f"m{self._number}"
            self.sent.add(message_id)
            request = contract.TrackEventRequest(event=event(message_id=message_id))
            try:
                answer = await service.events.TrackEvent(request, timeout=10)
                self.acknowledged[message_id] = answer.result.position
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
                self.refused += 1
                await asyncio.sleep(0.01)


async def check(service: Ingest, load: Load) -> None:
    """Assert that every acknowledged event is in the log once, in its place, and no other came."""
    records = await service.read()
    ids = [record.event.message_id for record in records]
    assert [record.position for record in records] == list(range(1, len(records) + 1))
    assert len(ids) == len(set(ids))
    assert set(ids) <= load.sent
    by_id = {record.event.message_id: record.position for record in records}
    assert {key: by_id.get(key) for key in load.acknowledged} == load.acknowledged
    accepted = [(r.accept_time.seconds, r.accept_time.nanos) for r in records]
    assert accepted == sorted(accepted)


async def test_nothing_acknowledged_is_lost_when_ingest_is_killed(database_url: str) -> None:
    """SIGKILL under load, three times: every acknowledged event is in the log, once."""
    load = Load()
    async with ingest_process(database_url) as process:
        for _ in range(3):
            service = await process.start()
            stop = asyncio.Event()
            seen = len(load.acknowledged)
            sending = asyncio.create_task(load.run(service, stop))
            await eventually(lambda seen=seen: len(load.acknowledged) > seen + 200)
            await process.end(signal.SIGKILL)
            stop.set()
            await sending
        service = await process.start()
        await check(service, load)
        assert load.refused
        again = await service.track(event(message_id=next(iter(load.acknowledged))))
        assert again[0].status == contract.EVENT_STATUS_REPEATED


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    """A durable Postgres of the test's own, to be killed."""
    async with postgres(tmp_path / "postgres") as server:
        yield server


async def test_nothing_acknowledged_is_lost_when_postgres_is_killed(
    database: PostgresServer,
) -> None:
    """While it is away callers are refused; when it is back ingest goes on without a restart."""
    load = Load()
    stop = asyncio.Event()
    async with ingest(database.url) as service:
        sending = asyncio.create_task(load.run(service, stop))
        for _ in range(2):
            seen = len(load.acknowledged)
            await eventually(lambda seen=seen: len(load.acknowledged) > seen + 200, timeout=30)
            await database.kill()
            refused = load.refused
            await eventually(lambda refused=refused: load.refused > refused + 20)
            await database.start()
        seen = len(load.acknowledged)
        await eventually(lambda: len(load.acknowledged) > seen + 200, timeout=30)
        stop.set()
        await sending
        await check(service, load)


async def test_callers_are_refused_quickly_while_postgres_hangs(database: PostgresServer) -> None:
    """A database that stops answering costs the first callers the patience, later ones nothing."""
    async with ingest(database.url, ingest_patience=0.5) as service:
        await service.track(event(message_id="before"))
        backends = [int(pid) for pid in await backends_of(database)]
        for pid in backends:
            signal_process(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            for _ in range(5):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await service.track(event())
                assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            assert time.monotonic() - started < 3
        finally:
            for pid in backends:
                signal_process(pid, signal.SIGCONT)

        async def recovered() -> bool:
            results = await service.track(event(message_id="after"))
            return results[0].message_id == "after"

        await eventually(recovered)
        ids = [record.event.message_id for record in await service.read()]
        assert (ids.count("before"), ids.count("after")) == (1, 1)


async def test_what_waits_is_bounded(database: PostgresServer) -> None:
    """With the log locked, the queue fills to its bound; the rest is RESOURCE_EXHAUSTED."""
    async with ingest(database.url, ingest_queue_events=10) as service:
        connection = await asyncpg.connect(database.url)
        try:
            async with connection.transaction():
                await connection.execute("SELECT FROM ingest.lane FOR UPDATE")
                calls = [
                    asyncio.create_task(service.track(event(message_id=f"m{n}"))) for n in range(30)
                ]
                await eventually(lambda: sum(call.done() for call in calls) == 20)
                for call in calls:
                    if call.done():
                        error = call.exception()
                        assert isinstance(error, grpc.aio.AioRpcError)
                        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        finally:
            await connection.close()
        done = await asyncio.gather(*calls, return_exceptions=True)
        accepted = [one[0].message_id for one in done if isinstance(one, list)]
        assert len(accepted) == 10
        recorded = [record.event.message_id for record in await service.read()]
        assert sorted(recorded) == sorted(accepted)


async def backends_of(database: PostgresServer) -> list[int]:
    """Answer the process ids of the sessions of ingest."""
    connection = await asyncpg.connect(database.url)
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'hairspring-ingest%'"
        )
    finally:
        await connection.close()
    return [row["pid"] for row in rows]


def signal_process(pid: int, number: int) -> None:
    """Send a signal to one process."""
    os.kill(pid, number)
