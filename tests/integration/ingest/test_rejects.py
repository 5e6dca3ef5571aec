"""What could not be accepted is kept, told and taken in again."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import asyncpg
import grpc
import pytest
from aiohttp import ClientSession
from hairspring.contracts.event.v1 import event_service_pb2
from hairspring.contracts.privacy.v1 import privacy_service_pb2
from hairspring.contracts.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from hairspring.contracts.reject.v1 import reject_pb2, reject_service_pb2
from hairspring.contracts.reject.v1.reject_service_pb2_grpc import RejectServiceStub
from hairspring.services.ingest.privacy_handlers import REJECTS
from hairspring.services.ingest.rejecting import MOST_PAYLOAD

from tests.integration.ingest.collecting.test_payloads import batches, payloads, written
from tests.integration.ingest.running import Ingest, event, ingest
from tests.support.waiting import eventually


async def rejects_of(service: Ingest, **asked: Any) -> list[reject_pb2.Reject]:
    """List all rejects, page by page."""
    found: list[reject_pb2.Reject] = []
    request = reject_service_pb2.ListRejectsRequest(page_size=500, **asked)
    while True:
        page = await RejectServiceStub(service.channel).ListRejects(request)
        found += page.rejects
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def get(service: Ingest, number: int) -> reject_pb2.Reject:
    """Read one reject."""
    request = reject_service_pb2.GetRejectRequest(reject_id=number)
    return (await RejectServiceStub(service.channel).GetReject(request)).reject


async def replay(service: Ingest, *numbers: int) -> dict[int, bool]:
    """Replay rejects; answers whether each was accepted."""
    request = reject_service_pb2.ReplayRejectsRequest(reject_ids=numbers)
    answer = await RejectServiceStub(service.channel).ReplayRejects(request)
    return {one.reject_id: one.accepted for one in answer.outcomes}


async def test_every_payload_is_in_the_log_or_a_reject(database_url: str) -> None:
    """Of 2,710 payloads in batches, none is lost and none is in both."""
    async with ingest(database_url) as service, ClientSession(service.http) as http:
        count = refused = 0
        for batch in batches(payloads(), 100):
            named = [{**one, "messageId": f"p{count + n}"} for n, one in enumerate(batch)]
            count += len(batch)
            async with http.post("/v1/batch", data=written({"batch": named})) as answer:
                assert answer.status == 200
                refused += (await answer.json()).get("refusedCount", 0)
        recorded = Counter(
            record.event.message_id
            for record in await service.read()
            if record.WhichOneof("body") == "event"
        )
        kept = Counter(one.message_id for one in await rejects_of(service))
        assert count == 2_710
        assert sum(kept.values()) == refused > 500
        assert recorded + kept == Counter(f"p{n}" for n in range(count))


@pytest.mark.parametrize(
    ("path", "body", "code", "payload"),
    [
        ("/v1/track", b'{"event": "X"}', "no_user_anon_id", b'{"event":"X"}'),
        ("/v1/track", b"no JSON at all", "invalid_json", b"no JSON at all"),
        ("/v1/batch", b'{"batch": {}}', "no_batch", b'{"batch": {}}'),
        (
            "/v1/batch",
            b'{"writeKey": "secret", "batch": [{"type": "x", "writeKey": "secret"}]}',
            "unknown_type",
            b'{"type":"x"}',
        ),
        (
            "/v1/batch",
            b'{"batch": [{"userId": "a", "writeKey": "secret", "n": NaN}]}',
            "invalid_json",
            b'{"userId": "a", "writeKey":"***", "n": NaN}',
        ),
        (
            "/v1/track",
            b'{"userId": "a", "writeKey" : "secret", "event": ',
            "invalid_json",
            b'{"userId": "a", "writeKey":"***", "event": ',
        ),
        (
            "/v1/track",
            b'{"userId":"a","event":"X","integrations":{"All":false}}',
            "not_for_us",
            b"",
        ),
    ],
)
async def test_a_refused_call_is_kept(
    service: Ingest, path: str, body: bytes, code: str, payload: bytes
) -> None:
    """With why, and what was sent; but for keys, and for what is not to be processed."""
    async with ClientSession(service.http) as http, http.post(path, data=body):
        [listed] = await rejects_of(service)
    assert (listed.code, listed.payload) == (code, b"")
    assert listed.problem
    found = await get(service, listed.reject_id)
    assert found.payload == payload
    assert await rejects_of(service, code="another") == []


async def test_a_key_that_is_no_text_is_taken_out_too(service: Ingest) -> None:
    """Headers may hold any bytes."""
    reader, writer = await asyncio.open_connection(*service.http[len("http://") :].split(":"))
    writer.write(
        b"POST /v1/track HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer \xff\xfe\r\n"
        b"Content-Length: 8\r\nConnection: close\r\n\r\nkey: \xff\xfe."
    )
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    [listed] = await rejects_of(service)
    assert (await get(service, listed.reject_id)).payload == b"key: ***."


async def test_an_event_over_grpc_is_kept_and_replayed(service: Ingest) -> None:
    """It stays a reject while it is refused; nobody else's key could ask for it."""
    bad = event("ada", name="", message_id="m1")
    [result] = await service.track(bad)
    assert result.status == event_service_pb2.EVENT_STATUS_REFUSED
    [listed] = await rejects_of(service)
    found = await get(service, listed.reject_id)
    assert (found.event, found.profile_id) == (bad, "ada")
    assert await replay(service, listed.reject_id, 999) == {listed.reject_id: False}
    [listed] = await rejects_of(service)
    assert listed.replays == 1
    with pytest.raises(grpc.aio.AioRpcError, match="no reject 999"):
        await get(service, 999)


@pytest.mark.parametrize("token", ["x", "after-1", "before-", "before-x", "before-\u00b2"])
async def test_a_page_that_was_never_told_of_is_refused(service: Ingest, token: str) -> None:
    """With what is wrong, as in every list."""
    with pytest.raises(grpc.aio.AioRpcError, match="none that was given out") as caught:
        await rejects_of(service, page_token=token)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_what_is_taken_now_is_replayed_once(database_url: str) -> None:
    """A call that was too large goes in once it may, with the time at which it came."""
    call = {"userId": "ada", "event": "X", "properties": {"text": "x" * 2_000}}
    body = json.dumps({"batch": [{"type": "track", **call}], "context": {"library": "l"}})
    async with ingest(database_url, ingest_event_bytes=1_024) as service:
        async with ClientSession(service.http) as http, http.post("/v1/batch", data=body) as answer:
            assert answer.status == 200
        [one] = await rejects_of(service)
        assert one.code == "too_large"
        assert await replay(service, one.reject_id) == {one.reject_id: False}
    async with ingest(database_url) as service:
        both = await asyncio.gather(replay(service, one.reject_id), replay(service, one.reject_id))
        assert {number for outcomes in both for number in outcomes} == {one.reject_id}
        assert await replay(service, one.reject_id) == {}
        assert await rejects_of(service) == []
        [record] = await service.read()
        assert json.loads(record.event.context_json) == {"library": "l"}
        assert record.event.message_id == f"reject-{one.reject_id}"
        assert record.event.occur_time == one.receive_time


async def test_a_flood_is_bounded_and_counted(database_url: str) -> None:
    """Beyond the bound of the day they are dropped, and what is sound is accepted all the same."""
    async with ingest(database_url, ingest_rejects_a_day=50) as service:
        for part in range(4):
            bad = [event(name="", message_id=f"bad-{part}-{n}") for n in range(40)]
            results = await service.track(*bad, event(message_id=f"good-{part}"))
            assert results[-1].status == event_service_pb2.EVENT_STATUS_ACCEPTED
        assert len(await rejects_of(service)) == 50
        assert len(await service.read()) == 4


async def test_what_is_large_is_kept_in_part(database_url: str) -> None:
    """So much of it is kept, and it cannot be replayed; a day has so many bytes, too."""
    large = event(name="", properties_json=b'{"text": "' + b"x" * MOST_PAYLOAD + b'"}')
    async with ingest(database_url, ingest_reject_bytes_a_day=MOST_PAYLOAD) as service:
        for _ in range(3):
            await service.track(large)
        [listed] = await rejects_of(service)
        found = await get(service, listed.reject_id)
        assert (found.cut, found.payload) == (True, large.SerializeToString()[:MOST_PAYLOAD])
        assert await replay(service, listed.reject_id) == {listed.reject_id: False}


async def test_what_is_kept_of_somebody_is_exported(service: Ingest) -> None:
    """With what was sent, also under an id that has become hers; nobody else's."""
    count = REJECTS + 1
    body = json.dumps({"userId": "ada", "type": "track", "event": ""})
    async with ClientSession(service.http) as http, http.post("/v1/track", data=body) as answer:
        assert answer.status == 200
    await service.track(event("bo", name=""), *(event("visitor", name="") for _ in range(count)))
    await service.events.AliasProfile(
        event_service_pb2.AliasProfileRequest(profile_id="ada", previous_id="visitor")
    )
    stub = PrivacyServiceStub(service.channel)
    stream = stub.ExportProfile(privacy_service_pb2.ExportProfileRequest(profile_id="ada"))
    text = b"".join([part.lines async for part in stream])
    lines = [json.loads(line) for line in text.splitlines()]
    first, *rest = [line for line in lines if line["kind"] == "reject"]
    assert json.loads(first["payload"]) == json.loads(body)
    assert [line["event"]["profileId"] for line in rest] == ["visitor"] * count
    assert all(line["problem"] for line in lines if line["kind"] == "reject")


async def test_after_a_week_they_are_gone(database_url: str) -> None:
    """They are swept at a start, and then now and then."""
    async with ingest(database_url) as service:
        await service.track(event(name=""), event(name=""))
        connection = await asyncpg.connect(database_url)
        await connection.execute(
            "UPDATE ingest.rejects SET received_at = received_at - 8 * 86400000::bigint"
            " WHERE reject_id = (SELECT min(reject_id) FROM ingest.rejects)"
        )
        await connection.close()
    async with ingest(database_url) as service:

        async def swept() -> bool:
            return len(await rejects_of(service)) == 1

        await eventually(swept, timeout=30)
