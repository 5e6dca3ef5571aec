"""What ingest keeps of somebody is erased, and what is of before is taken in no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession
from hairspring.contracts.event.v1 import event_log_service_pb2, event_pb2, event_service_pb2
from hairspring.contracts.privacy.v1 import privacy_pb2
from hairspring.contracts.privacy.v1 import privacy_service_pb2 as contract
from hairspring.contracts.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from hairspring.database.pool import open_pool
from hairspring.log.deletions import STEP
from hairspring.log.port import Appended, Entry
from hairspring.log.postgres import PostgresLog
from hairspring.services.ingest.app import SCHEMA
from hairspring.services.ingest.appending import Swallowed
from hairspring.services.ingest.gone import Gone
from hairspring.services.ingest.judging import Sound, judge
from hairspring.wire.times import iso

from tests.integration.ingest.running import Ingest, event, ingest
from tests.integration.ingest.test_rejects import rejects_of
from tests.support.cluster import now, track
from tests.support.waiting import eventually

DELETED = event_service_pb2.EVENT_STATUS_DELETED


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Ingest]:
    """Ingest in this process."""
    async with ingest(database_url) as running:
        yield running


async def delete(service: Ingest, profile: str) -> privacy_pb2.Deletion:
    """Delete a profile, and answer the receipt once ingest is done."""
    stub = PrivacyServiceStub(service.channel)
    made = await stub.DeleteProfile(contract.DeleteProfileRequest(profile_id=profile), timeout=20)

    async def done() -> privacy_pb2.Deletion | None:
        request = contract.GetDeletionRequest(deletion_id=made.deletion.deletion_id)
        found: privacy_pb2.Deletion = (await stub.GetDeletion(request, timeout=20)).deletion
        return found if found.parts[0].state == privacy_pb2.DELETION_STATE_DONE else None

    receipt = await eventually(done, timeout=60)
    assert receipt is not None
    return receipt


async def test_a_long_history_is_erased_in_steps(service: Ingest, database_url: str) -> None:
    """More than one step erases at once; positions stay dense, and nothing of it is handed out."""
    count = 2 * STEP + 100
    for first in range(0, count, 700):
        some = range(first, min(first + 700, count))
        await service.track(*(event("ada", message_id=f"a{n}") for n in some), event("bo"))
    head = (await service.read())[-1].position

    receipt = await delete(service, "ada")

    assert [(one.kind, one.count) for one in receipt.parts[0].erased] == [("events", count)]
    records = await service.read()
    assert [record.profile_id for record in records] == ["bo"] * 3 + ["ada"]
    assert (records[-1].position, receipt.position) == (head + 1, head + 1)
    listed = await service.log.ListEvents(
        event_log_service_pb2.ListEventsRequest(profile_ids=["ada"])
    )
    got = await service.log.GetEvents(
        event_log_service_pb2.GetEventsRequest(positions=range(1, 500))
    )
    assert [record.WhichOneof("body") for record in listed.records] == ["profile_deleted"]
    assert [record.profile_id for record in got.records] == ["bo"] * len(got.records)
    connection = await asyncpg.connect(database_url)
    left = await connection.fetchrow(
        "SELECT count(*) AS records, sum(length(payload)) AS bytes FROM ingest.log"
        " WHERE profile = ' '"
    )
    await connection.close()
    assert (left["records"], left["bytes"]) == (count, 0)


async def test_what_was_refused_of_her_goes_with_her(service: Ingest) -> None:
    """It is erased and told in the receipt; that of others stays."""
    await service.track(event("ada", name=""), event("bo", name=""), event("ada", name=""))

    receipt = await delete(service, "ada")

    assert ("rejects", 2) in [(one.kind, one.count) for one in receipt.parts[0].erased]
    assert [one.profile_id for one in await rejects_of(service)] == ["bo"]


async def test_an_id_that_joins_meanwhile_goes_with_her(
    service: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused of an id that becomes hers while she is being deleted is erased as well."""
    await service.track(event("ada"), event("visitor", name=""), event("bo", name=""))
    erase_in = PostgresLog.erase_in

    async def join_first(*given: Any, **more: Any) -> int:
        monkeypatch.setattr(PostgresLog, "erase_in", erase_in)
        identify = event_pb2.EVENT_TYPE_IDENTIFY
        await service.track(event("ada", type=identify, anonymous_id="visitor", name=""))
        return await erase_in(*given, **more)

    monkeypatch.setattr(PostgresLog, "erase_in", join_first)

    receipt = await delete(service, "ada")

    assert ("rejects", 1) in [(one.kind, one.count) for one in receipt.parts[0].erased]
    assert [one.profile_id for one in await rejects_of(service)] == ["bo"]


async def test_every_replica_and_every_start_knows_who_is_gone(
    service: Ingest, database_url: str
) -> None:
    """One that was there before, and one that is started later, take in nothing of before."""
    async with ingest(database_url) as other:
        old = track("ada", "Product Viewed", at=now())
        await other.track(old)
        await delete(service, "ada")

        [by_other] = await other.track(old)
        [here] = await service.track(old)
    async with ingest(database_url) as later:
        [by_later, bo] = await later.track(old, track("bo", "Product Viewed", at=now() - 9_000))

    assert [one.status for one in (by_other, here, by_later)] == [DELETED] * 3
    assert bo.status == event_service_pb2.EVENT_STATUS_ACCEPTED


async def test_nothing_slips_in_while_she_is_deleted(service: Ingest, database_url: str) -> None:
    """Of events that are under way on two replicas, none of before stands behind the deletion."""
    async with ingest(database_url) as other:
        stop = asyncio.Event()

        async def send(to: Ingest, label: str) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                await to.track(track("ada", "Viewed", at=now() - 3, id=f"{label}{number}"))

        sending = [asyncio.create_task(send(to, f"{to.address}-")) for to in (service, other)]
        await eventually(lambda: _some(service), timeout=20)
        receipts = [await delete(service, "ada") for _ in range(3)]
        stop.set()
        await asyncio.gather(*sending)

    last = receipts[-1]
    behind = [r for r in await service.read() if r.position > last.position]
    assert all(r.event.occur_time.ToMilliseconds() > _at(last) for r in behind)
    before = [r for r in await service.read() if r.position < last.position]
    assert {r.WhichOneof("body") for r in before} == {"profile_deleted"}


class Meanwhile:
    """Connections by which something happens once while somebody who is gone is looked up."""

    def __init__(self, pool: asyncpg.Pool, happens: Callable[[], Awaitable[None]]) -> None:
        self._pool = pool
        self._happens: Callable[[], Awaitable[None]] | None = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    async def fetch(self, query: str, *arguments: Any) -> Any:
        """Fetch; something happens after the first look at who is gone."""
        found = await self._pool.fetch(query, *arguments)
        if "gone_look" in query and (happens := self._happens):
            self._happens = None
            await happens()
        return found


async def test_a_deletion_that_others_find_out_is_looked_at(
    service: Ingest, database_url: str
) -> None:
    """An append that waits for its look does not take for known what another has read since."""
    await delete(service, "ada")

    async def happens() -> None:
        await delete(service, "bo")
        await gone.refresh()

    def entry(profile: str, at: int) -> Entry:
        call = track(profile, "Viewed", at=at, id=profile)
        found = judge(call, workspace="default", shards=8, new_id=str)
        assert isinstance(found, Sound)
        return found.entry

    async with open_pool(database_url, name="test") as pool:
        log = PostgresLog(pool, None, SCHEMA)  # type: ignore[arg-type]
        gone = await Gone.open(Meanwhile(pool, happens), SCHEMA)

        async def put(entries: Sequence[Entry], knows: int) -> list[Appended]:
            return await log.append(entries, knows=knows)

        later, before = entry("ada", now() + 60_000), entry("bo", now())
        outcomes = await gone.append([later, before], put)

    assert [type(outcome) for outcome in outcomes] == [Appended, Swallowed]


async def _some(service: Ingest) -> list[event_pb2.EventRecord]:
    return await service.read()


def _at(receipt: privacy_pb2.Deletion) -> int:
    return receipt.delete_time.ToMilliseconds()


async def test_an_sdk_takes_what_is_of_before_as_done(service: Ingest) -> None:
    """It is answered 200 with no refusal, so nothing is sent again; only the rest is kept."""
    receipt = await delete(service, "ada")
    before, after = iso(_at(receipt)), iso(_at(receipt) + 1)
    call = {"type": "track", "event": "Viewed", "userId": "ada"}
    batch = [
        {**call, "timestamp": before, "messageId": "m1"},
        {**call, "timestamp": after, "messageId": "m2"},
        {**call, "userId": "bo", "timestamp": before, "messageId": "m3"},
    ]
    async with (
        ClientSession(service.http) as http,
        http.post("/v1/batch", json={"batch": batch}) as answer,
    ):
        told = answer.status, await answer.json()

    assert told == (200, {"success": True})
    kept = [r.event.message_id for r in await service.read() if r.WhichOneof("body") == "event"]
    assert kept == ["m2", "m3"]
