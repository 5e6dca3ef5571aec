"""Calls come in over HTTP as SDKs make them, and stand in the log."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from aiohttp import ClientSession
from hairspring.contracts.event.v1 import event_pb2
from hairspring.services.ingest.collecting.kinds import Kind
from hairspring.wire.times import iso, to_ms

from tests.integration.ingest.running import Ingest

DONE = {"success": True}
CALL = {"type": "track", "event": "Product Added", "userId": "ada"}


async def posted(http: ClientSession, path: str, body: object, **headers: str) -> tuple[int, Any]:
    """Post a body, and answer the status and what was said."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with http.post(path, data=data, headers=headers) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        return answer.status, await answer.json()


@pytest.mark.parametrize("short", [False, True])
async def test_every_call_has_a_path_of_its_own(
    service: Ingest, http: ClientSession, short: bool
) -> None:
    """In full and by its first letter; the log has them in the order in which they came."""
    said = {"userId": "ada", "event": "Product Added", "groupId": "g", "previousId": "old"}
    for kind in Kind:
        path = f"/v1/{kind.value[0] if short else kind.value}"
        assert await posted(http, path, said) == (200, DONE)
    records = await service.read()
    assert [record.event.name for record in records] == [
        *("Product Added", "", "Page Viewed", "Screen Viewed", "Group Joined", "Profile Aliased")
    ]
    assert records[1].event.type == event_pb2.EVENT_TYPE_IDENTIFY
    assert {record.profile_id for record in records} == {"ada"}


@pytest.mark.parametrize(
    "path", ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch?writeKey=k"]
)
async def test_a_batch_records_what_is_sound_and_tells_the_rest(
    service: Ingest, http: ClientSession, path: str
) -> None:
    """A call that is no JSON, one of nobody and one that the log cannot take harm no other."""
    body = (
        b'{"sentAt": "2026-05-01T10:00:00Z", "context": {"locale": "de"}, "batch": ['
        b'{"type":"track","event":"cut \\ud83d","userId":"ada","messageId":"m0"},'
        b'{"type":"track","event":"x","userId":"ada","properties":{"n":NaN}},'
        b'{"type":"track","event":"x","messageId":"m2"},'
        b'{"type":"track","event":"nul \\u0000","userId":"ada"},'
        b'{"type":"track","event":"y","userId":"ada","properties":{"t":"\\u0000","n":9007199254740993}}'
        b"]}"
    )
    status, told = await posted(http, path, body)
    assert (status, told["success"], told["refusedCount"]) == (200, False, 3)
    assert {one["index"]: one["code"] for one in told["refused"]} == {
        1: "invalid_json",
        2: "no_user_anon_id",
        3: "refused",
    }
    assert told["refused"][1]["messageId"] == "m2"
    first, last = await service.read()
    assert (first.event.name, first.event.message_id) == ("cut �", "m0")
    assert last.event.properties_json == b'{"t":"\\u0000","n":9007199254740993}'
    assert json.loads(last.event.context_json) == {"locale": "de"}


async def test_repeats_are_recorded_once(service: Ingest, http: ClientSession) -> None:
    """The same message id again is answered as the first time."""
    body = {"batch": [{**CALL, "messageId": "m1"}] * 2}
    for _ in range(2):
        assert await posted(http, "/v1/batch", body) == (200, DONE)
    assert len(await service.read()) == 1


@pytest.mark.parametrize(
    ("headers", "packed"),
    [
        ({"Content-Type": "application/json"}, False),
        ({"Content-Type": "text/plain;charset=UTF-8"}, False),
        ({"Content-Type": "application/x-www-form-urlencoded"}, True),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, True),
        ({"Content-Type": "application/octet-stream"}, False),
        ({"Content-Type": "nonsense"}, False),
        ({}, True),
    ],
)
async def test_any_content_type_is_read(
    service: Ingest, http: ClientSession, headers: dict[str, str], packed: bool
) -> None:
    """What the body is counts, not what a header says of it; gzip also where no header says so."""
    data = json.dumps({"batch": [CALL]}).encode()
    data = gzip.compress(data) if packed else data
    assert await posted(http, "/v1/batch", data, **headers) == (200, DONE)
    assert len(await service.read()) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "invalid_json"),
        (b"", {}, 400, "invalid_json"),
        (b"{}", {}, 400, "no_batch"),
        (json.dumps({"batch": [CALL] * 2_501}).encode(), {}, 400, "too_large"),
        (json.dumps({"batch": [CALL], "x": "x" * 600_000}).encode(), {}, 400, "too_large"),
        (b"x" * 1_100_000, {}, 413, "too_large"),
        (gzip.compress(b" " * 50_000_000), {}, 413, "too_large"),
        (gzip.compress(b" " * 50_000_000), {"Content-Encoding": "gzip"}, 413, "too_large"),
        (b"no gzip", {"Content-Encoding": "gzip"}, 400, "invalid_body"),
    ],
)
async def test_what_can_never_succeed_is_said_so(
    service: Ingest,
    http: ClientSession,
    body: bytes,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    """A body that is no JSON or too large; also one that is small and unpacks to much."""
    got, told = await posted(http, "/v1/batch", body, **headers)
    assert (got, told["code"]) == (status, code)
    assert await service.read() == []


async def test_a_call_that_is_too_large_harms_no_other(
    service: Ingest, http: ClientSession
) -> None:
    """Alone it is 400; in a batch it is refused, and the rest recorded."""
    large = {**CALL, "properties": {"x": "x" * 33_000}}
    assert (await posted(http, "/v1/track", large))[0] == 400
    status, told = await posted(http, "/v1/batch", {"batch": [large, CALL]})
    assert (status, [one["code"] for one in told["refused"]]) == (200, ["too_large"])
    assert len(await service.read()) == 1


async def test_pictures_are_calls(service: Ingest, http: ClientSession) -> None:
    """The answer is a picture, also where the call is refused."""
    for path in (
        "/pixel/v1/track?writeKey=k&userId=ada&event=Mail%20Opened&properties.mail=7",
        "/pixel/v1/page?anonymousId=a1&name=Home",
        "/v1/pixel/track?data=" + base64.urlsafe_b64encode(json.dumps(CALL).encode()).decode(),
        "/pixel/v1/track?event=nobody",
    ):
        async with http.get(path) as answer:
            assert (answer.status, answer.content_type) == (200, "image/gif")
    assert (await http.get("/pixel/v1/nothing")).status == 404
    records = await service.read()
    assert [record.event.name for record in records] == [
        *("Mail Opened", "Page Viewed", "Product Added")
    ]
    assert records[0].event.properties_json == b'{"mail":"7"}'


async def test_browsers_may_ask_and_send_from_any_page(http: ClientSession) -> None:
    """The preflight allows what is asked for; settings name the address that was asked."""
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Headers": "authorization,x"}
    async with http.options("/v1/batch", headers=asked) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
        assert answer.headers["Access-Control-Allow-Headers"] == "authorization,x"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    async with http.get(
        "/v1/projects/k/settings", headers={"Host": "in.example", "X-Forwarded-Proto": "https"}
    ) as answer:
        segment = (await answer.json())["integrations"]["Segment.io"]
        assert (segment["apiHost"], segment["protocol"]) == ("in.example/v1", "https")
    async with http.get("/sourceConfig/?writeKey=k") as answer:
        assert (await answer.json())["source"]["writeKey"] == "k"
    for path, status in (("/v1/track", 405), ("/v2/track", 404)):
        async with http.get(path) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, "*")


async def test_the_four_times_are_kept(service: Ingest, http: ClientSession) -> None:
    """The clock of the sender is corrected, and it is told from what and how."""
    sent = 1_700_000_000_000
    call = {**CALL, "timestamp": iso(sent - 60_000)}
    old = {"batch": [call], "sentAt": iso(sent)}
    await posted(http, "/v1/batch", old)
    [record] = await service.read()
    timing, now = record.event.timing, to_ms(record.accept_time)
    assert timing.rule == event_pb2.TIME_RULE_TOO_FAR_APART
    assert to_ms(record.event.occur_time) == sent - 60_000
    ahead = now + 3_600_000
    call = {**CALL, "timestamp": iso(ahead - 60_000)}
    await posted(http, "/v1/batch", {"batch": [call, CALL], "sentAt": iso(ahead)})
    _, record, untimed = await service.read()
    timing = record.event.timing
    assert timing.rule == event_pb2.TIME_RULE_CORRECTED
    assert (to_ms(timing.original_time), to_ms(timing.send_time)) == (ahead - 60_000, ahead)
    assert to_ms(record.event.occur_time) == to_ms(timing.receive_time) - 60_000
    assert untimed.event.timing.rule == event_pb2.TIME_RULE_RECEIVED
    assert to_ms(untimed.event.occur_time) <= to_ms(untimed.accept_time)


async def test_an_anonymous_id_beside_a_known_one_is_kept(
    service: Ingest, http: ClientSession
) -> None:
    """The profile is the known id's; the other stands in the record."""
    await posted(http, "/v1/identify", {"userId": "ada", "anonymousId": "a1", "traits": {"n": 1}})
    [record] = await service.read()
    assert (record.profile_id, record.event.anonymous_id) == ("ada", "a1")
