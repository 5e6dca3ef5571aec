"""Events are kept for as long as was said, and for as long as somebody has to read them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import grpc
import pytest
from hairspring.contracts.event.v1 import event_log_service_pb2 as contract
from hairspring.contracts.privacy.v1 import privacy_service_pb2
from hairspring.contracts.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from hairspring.database.pool import open_pool
from hairspring.log.deletions import Deletions
from hairspring.log.postgres import PostgresLog
from hairspring.log.retention import Retention
from hairspring.runtime.config import BadSettings, load
from hairspring.services.ingest.app import SCHEMA
from hairspring.services.ingest.config import IngestSettings
from hairspring.services.ingest.keeping import DAY_MS, Keeping

from tests.integration.ingest.running import Ingest, event, ingest
from tests.support.waiting import eventually


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Ingest]:
    """Ingest in this process."""
    async with ingest(database_url) as running:
        yield running


@pytest.fixture
async def pool(service: Ingest, database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the database of ingest."""
    async with open_pool(database_url, name="test") as opened:
        yield opened


async def report(service: Ingest, position: int, subscriber: str = "evaluator") -> None:
    """Tell how far a subscriber is."""
    await service.log.ReportProgress(
        contract.ReportProgressRequest(subscriber=subscriber, position=position)
    )


async def test_what_is_old_goes_once_it_is_read(service: Ingest, pool: asyncpg.Pool) -> None:
    """Nothing goes that a subscriber has not read; readers are told what is no longer there."""
    await pool.execute(f"SELECT {SCHEMA}.log_recut(0, 10, 1000)")
    for number in range(25):
        await service.track(event(f"p{number}"))
    await pool.execute(f"UPDATE {SCHEMA}.log SET accepted_at = accepted_at - $1", 8 * DAY_MS)
    keeping = Keeping(pool, SCHEMA, Retention(pool, SCHEMA), days=7)
    longer = Keeping(pool, SCHEMA, Retention(pool, SCHEMA), days=9)

    unread = await keeping.look()
    await report(service, 25)
    await report(service, 9, "another")
    behind = await keeping.look()
    await report(service, 25, "another")
    young = await longer.look()
    done = await keeping.look()

    assert (unread, behind, young) == (None, None, None)
    assert done is not None
    # The one in use was closed when the retention was first looked at.
    assert done.position == 25
    answer = await service.log.ListEvents(contract.ListEventsRequest(with_kept_since=True))
    assert answer.kept_since_time.ToMilliseconds() == done.accepted_at
    await service.track(event("later"))
    got = await service.log.GetEvents(contract.GetEventsRequest(positions=[20, 26]))
    assert [record.position for record in got.records] == [26]
    assert [record.position for record in await service.read()] == [26]
    with pytest.raises(grpc.aio.AioRpcError, match="no longer kept"):
        await service.read(after=12)
    with pytest.raises(grpc.aio.AioRpcError, match="beyond the head"):
        await report(service, 27)


async def test_the_id_of_who_was_deleted_goes_last(service: Ingest, pool: asyncpg.Pool) -> None:
    """Once all have read it and its time has come, the record of a deletion names nobody."""
    await service.track(event("ada"))
    stub = PrivacyServiceStub(service.channel)
    request = privacy_service_pb2.DeleteProfileRequest(profile_id="ada", deletion_id="d1")
    await stub.DeleteProfile(request)
    keeping = Keeping(pool, SCHEMA, Retention(pool, SCHEMA), days=0)
    log = PostgresLog(pool, None, SCHEMA)  # type: ignore[arg-type]
    deletions = Deletions(pool, SCHEMA, log, forget_ms=-1000, read_by_all=keeping.read_by_all)
    while await deletions.step():
        pass

    early = await deletions.forget()
    await report(service, 2)
    forgot = await eventually(deletions.forget)
    receipt = await stub.GetDeletion(privacy_service_pb2.GetDeletionRequest(deletion_id="d1"))

    assert (early, forgot) == (False, True)
    assert receipt.deletion.profile_id == ""
    assert await service.read() == []
    assert [done.position for done in await service.track(event("ada"))] == [3]


def test_what_is_judged_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retention below the horizon is refused; 0 keeps everything."""
    monkeypatch.setenv("HAIRSPRING_INGEST_RETENTION_DAYS", "30")
    with pytest.raises(BadSettings, match="RETENTION_DAYS cannot be used: it is 30, but events"):
        load(IngestSettings)
    monkeypatch.setenv("HAIRSPRING_HORIZON_DAYS", "30")
    assert load(IngestSettings).ingest_retention_days == 30
    monkeypatch.delenv("HAIRSPRING_INGEST_RETENTION_DAYS")
    assert load(IngestSettings).ingest_retention_days == 0
