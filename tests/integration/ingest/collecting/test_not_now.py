"""What senders are told when it is not their fault, and how it ends."""

from __future__ import annotations

import asyncio
import json
import signal

import asyncpg
from aiohttp import ClientError, ClientSession
from hairspring.embedded.ports import free_port

from tests.integration.ingest.running import IngestProcess, ingest
from tests.support.waiting import eventually

CALL = json.dumps({"event": "Product Added", "userId": "ada"}).encode()


async def test_a_database_that_hangs_is_503_and_too_much_is_429(database_url: str) -> None:
    """Both ask to try again, and the same call is taken once the database answers again."""
    async with (
        ingest(database_url, ingest_patience=1.0, ingest_queue_events=1) as service,
        ClientSession(service.http) as http,
    ):
        await (await http.post("/v1/track", data=CALL)).read()
        connection = await asyncpg.connect(database_url)
        holding = connection.transaction()
        await holding.start()
        await connection.execute("SELECT * FROM ingest.lane FOR UPDATE")
        answers = await asyncio.gather(*(http.post("/v1/track", data=CALL) for _ in range(3)))
        assert sorted(answer.status for answer in answers) == [429, 429, 503]
        for answer in answers:
            assert int(answer.headers["Retry-After"]) >= 1
            assert int(answer.headers["X-RateLimit-Reset"]) >= 1
            assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
            assert set(await answer.json()) == {"success", "code", "message"}
        await holding.rollback()
        await connection.close()

        async def taken() -> bool:
            return (await http.post("/v1/track", data=CALL)).status == 200

        await eventually(taken)


async def test_what_is_under_way_is_answered_at_the_end(
    process: IngestProcess, database_url: str
) -> None:
    """SIGTERM: a call that waits for its commit is answered 200, and nothing new is taken."""
    address = f"127.0.0.1:{free_port()}"
    await process.end()
    await process.start(HAIRSPRING_INGEST_HTTP=address)
    connection = await asyncpg.connect(database_url)
    async with ClientSession(f"http://{address}") as http:
        assert (await http.get("/healthz")).status == 200
        holding = connection.transaction()
        await holding.start()
        await connection.execute("SELECT * FROM ingest.lane FOR UPDATE")
        waiting = asyncio.create_task(http.post("/v1/track", data=CALL))
        await eventually(lambda: _waits(database_url))
        ending = asyncio.create_task(process.end(signal.SIGTERM))

        async def closed() -> bool:
            async with ClientSession() as stranger:
                try:
                    return (await stranger.get(f"http://{address}/healthz")).status == 503
                except ClientError:
                    return True

        await eventually(closed)
        await holding.rollback()
        assert (await waiting).status == 200
        assert await ending == 0
    assert await connection.fetchval("SELECT count(*) FROM ingest.log") == 1
    await connection.close()


async def _waits(database_url: str) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        return bool(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
        )
    finally:
        await connection.close()


async def test_a_taken_port_is_told(database_url: str) -> None:
    """In one line, with the setting."""
    from tests.integration.ingest.test_process import failed

    async with ingest(database_url) as service:
        code, line = await failed(
            HAIRSPRING_POSTGRES_URL=database_url,
            HAIRSPRING_INGEST_LISTEN="127.0.0.1:0",
            HAIRSPRING_INGEST_HTTP=service.http.removeprefix("http://"),
        )
    assert (code, "HAIRSPRING_INGEST_HTTP" in line) == (1, True)
