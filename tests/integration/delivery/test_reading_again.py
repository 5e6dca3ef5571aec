"""After an error the log is read again from some way back, and everything stays as it was decided.

Postgres is struck while delivery commits what a batch of the log means: its connection is ended
before the commit, so that nothing of it holds, or while the commit is under way, so that all of it
does and delivery hears of a failure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from hairspring.contracts.flow.v1 import run_pb2
from hairspring.embedded.mail import MailSink
from hairspring.runtime.clock import now_ms
from hairspring.services.delivery import replica
from hairspring.services.delivery.config import DeliverySettings

from tests.integration.delivery.conftest import PLAIN_MAIL, Delivery, flow, run_delivery, send
from tests.integration.delivery.peers import SHARDS, Peers
from tests.support.proxy import Proxy, proxy
from tests.support.waiting import eventually

HOUR_MS = 3_600_000
HOLD = 4711
"""The key of the lock that a commit waits for."""

Strike = Callable[[asyncpg.Connection, Proxy, Callable[[], Awaitable[None]]], Awaitable[None]]


@pytest_asyncio.fixture
async def watcher(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test, beside those of delivery."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@asynccontextmanager
async def running(
    settings: DeliverySettings, database_url: str
) -> AsyncIterator[tuple[Delivery, Proxy]]:
    """Delivery, whose connections to Postgres pass through a proxy."""
    port = urlsplit(database_url).port
    assert port is not None
    async with proxy(port) as between:
        url = database_url.replace(f":{port}/", f":{between.port}/")
        async with run_delivery(settings.model_copy(update={"postgres_url": url})) as delivery:
            yield delivery, between


async def before_the_commit(
    watcher: asyncpg.Connection, between: Proxy, act: Callable[[], Awaitable[None]]
) -> None:
    """Hold the fence of the next effect up, and end the session that waits for it."""
    async with watcher.transaction():
        await watcher.execute("SELECT FROM delivery.shards FOR UPDATE")
        await act()
        pid = await eventually(lambda: _waiting(watcher, "%shards_fence%"), timeout=30)
        assert await watcher.fetchval("SELECT pg_terminate_backend($1)", pid)


async def amid_the_commit(
    watcher: asyncpg.Connection, between: Proxy, act: Callable[[], Awaitable[None]]
) -> None:
    """Hold the next commit of a run up, cut the connection, and let it be committed."""
    await watcher.execute(
        f"CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM pg_advisory_xact_lock({HOLD}); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER hold AFTER INSERT OR UPDATE ON delivery.runs"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()"
    )
    await watcher.execute("SELECT pg_advisory_lock($1::bigint)", HOLD)
    await act()
    pid = await eventually(lambda: _waiting(watcher, "COMMIT%"), timeout=30)
    between.cut()
    await watcher.execute("SELECT pg_advisory_unlock($1::bigint)", HOLD)

    async def over() -> bool:
        there = await watcher.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid)
        return bool(there == 0)

    await eventually(over, timeout=30)


async def _waiting(watcher: asyncpg.Connection, query: str) -> int | None:
    """The process id of a session of delivery that waits for a lock in such a query."""
    await watcher.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees one moment
    pid: int | None = await watcher.fetchval(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE $1 AND wait_event_type = 'Lock'"
        " AND application_name LIKE 'hairspring-delivery%' AND datname = current_database()",
        query,
    )
    return pid


async def _all_read(watcher: asyncpg.Connection, position: int) -> None:
    """Wait until delivery has committed that it has read so far, in every shard."""

    async def read() -> bool:
        rows = await watcher.fetch("SELECT position FROM delivery.shards")
        return [row["position"] for row in rows] == [position] * SHARDS

    await eventually(read, timeout=30)


async def _stand(delivery: Delivery) -> dict[tuple[str, str], tuple[int, str]]:
    """How every run stands and why, by profile and flow."""
    runs = await delivery.runs()
    return {(run.profile_id, run.flow): (run.status, run.reason) for run in runs}


def _everybody_has_an_address(peers: Peers) -> None:
    for name in ("ada", "bob", "cleo"):
        peers.traits[name] = {"name": name, "email": f"{name}@example.com"}


@pytest.mark.parametrize("strike", [before_the_commit, amid_the_commit])
async def test_what_was_decided_stays(
    settings: DeliverySettings,
    database_url: str,
    watcher: asyncpg.Connection,
    peers: Peers,
    mail_sink: MailSink,
    strike: Strike,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Runs that wait go on and those that are over stay so, with a cooldown and without.

    And the log is not read again from where the shards were taken over, which may be long ago.
    """
    monkeypatch.setattr(replica, "PROGRESS_SECONDS", 0.1)  # `_all_read` waits for it
    steps = ({"wait": HOUR_MS}, send())
    often, seldom = flow(*steps, name="often"), flow(*steps, name="seldom", cooldown=HOUR_MS)
    peers.define(1, often, seldom, PLAIN_MAIL)
    _everybody_has_an_address(peers)
    async with running(settings, database_url) as (delivery, between):
        await peers.enter("cleo", now_ms() - HOUR_MS)
        await eventually(lambda: mail_sink.accepted == 2, timeout=30)
        await peers.enter("ada", now_ms())
        await _all_read(watcher, 2)

        await strike(watcher, between, lambda: peers.enter("bob", now_ms()))

        await _all_read(watcher, 3)
        stand = await _stand(delivery)
    goes_on, over = (run_pb2.RUN_STATUS_ACTIVE, ""), (run_pb2.RUN_STATUS_ENDED, "completed")
    expected = {"ada": goes_on, "bob": goes_on, "cleo": over}
    assert stand == {
        (name, flow): how for name, how in expected.items() for flow in ("often", "seldom")
    }
    assert mail_sink.accepted == 2
    assert set(peers.tailed[-1].values()) == {2}


async def test_what_was_committed_without_an_answer_is_waited_for(
    settings: DeliverySettings,
    database_url: str,
    watcher: asyncpg.Connection,
    peers: Peers,
    mail_sink: MailSink,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The delay queue is told of a run that was written by a commit that seemed to fail."""
    monkeypatch.setattr(replica, "STRAY_SECONDS", 3_600)
    peers.define(1, flow({"wait": 1_000}, send()), PLAIN_MAIL)
    _everybody_has_an_address(peers)
    async with running(settings, database_url) as (_, between):
        await eventually(lambda: peers.tailed, timeout=30)

        await amid_the_commit(watcher, between, lambda: peers.enter("bob", now_ms()))

        await eventually(lambda: mail_sink.accepted == 1, timeout=30)
