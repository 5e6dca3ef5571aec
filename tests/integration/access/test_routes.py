"""Keys at the collector: every route, and what one key may."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from google.rpc import error_details_pb2, status_pb2
from hairspring.contracts.access.v1 import access_pb2
from hairspring.contracts.event.v1 import event_log_service_pb2, event_service_pb2
from hairspring.contracts.event.v1.event_service_pb2_grpc import EventServiceStub
from hairspring.contracts.key.v1 import key_service_pb2
from hairspring.contracts.key.v1.key_service_pb2_grpc import KeyServiceStub
from hairspring.contracts.reject.v1 import reject_service_pb2
from hairspring.contracts.reject.v1.reject_service_pb2_grpc import RejectServiceStub
from hairspring.runtime import interceptors
from hairspring.runtime.client import open_channel
from hairspring.runtime.clock import now_ms
from hairspring.services.ingest.collecting.collector import Bounds
from hairspring.services.ingest.collecting.requests import InHand
from hairspring.services.ingest.collecting.routes import Routes

from tests.integration.ingest.running import Ingest, event, ingest
from tests.support.cluster import TOKEN
from tests.support.waiting import eventually

OPEN = {
    "/healthz",
    "/v1/m",
    "/hairspring.js",
    "/snippet",
    "/analytics.js",
    "/analytics.js/v1/{key}/analytics{min}.js",
    "/analytics-next/bundles/{part}",
}
"""What takes nothing in and tells of no workspace: whether we are well, and scripts for pages."""

ASKING = {"/v1/projects/{key}/settings", "/sourceConfig", "/sourceConfig/"}
"""What tells SDKs where to send to."""

CALL = {"type": "track", "userId": "ada", "event": "Product Added"}
SPECIAL: dict[str, dict[str, Any]] = {
    "i": {"traits": {}},
    "g": {"groupId": "g"},
    "a": {"previousId": "before"},
}
"""What calls need by the first letter of their kind."""


@pytest_asyncio.fixture
async def guarded(database_url: str) -> AsyncIterator[Ingest]:
    """Ingest with keys, and a connection that bears the token of the deployment."""
    async with ingest(database_url, auth="on", service_token=TOKEN) as running:
        yield running


async def make_key(service: Ingest, workspace: str, scope: str, **fields: Any) -> Any:
    """Make a key; answers it with its token."""
    request = key_service_pb2.CreateKeyRequest(
        workspace_id=workspace,
        name="test",
        scopes=[access_pb2.Scope.Value(f"SCOPE_{scope.upper()}")],
        **fields,
    )
    return await KeyServiceStub(service.channel).CreateKey(request)


def routes() -> list[tuple[str, str]]:
    """Every route of the collector, but what it answers for HEAD."""
    nothing = cast(Any, None)
    app = Routes(nothing, nothing, Bounds(), clock=now_ms).app(InHand(1))
    found = {
        (route.method, resource.canonical)
        for resource in app.router.resources()
        for route in resource
        if route.method != "HEAD"
    }
    return sorted(found)


def basic(token: str) -> dict[str, str]:
    """Basic authorization."""
    return {"Authorization": "Basic " + base64.b64encode(f"{token}:".encode()).decode()}


async def send(
    http: ClientSession, method: str, path: str, token: str, message_id: str = "m"
) -> int:
    """Send what a route takes, with a token; answers the status."""
    path = path.replace("{key}", token or "-").replace("{kind}", "track")
    kind = path.rpartition("/")[2]
    call = {**CALL, "messageId": message_id, **SPECIAL.get(kind[:1], {})}
    batch = kind in ("batch", "b", "import")
    query = {"userId": "ada", "event": "Product Added", "messageId": message_id}
    async with http.request(
        method,
        path,
        headers=basic(token) if token else {},
        params=query if method == "GET" else None,
        data=json.dumps({"batch": [call]} if batch else call) if method == "POST" else None,
    ) as answer:
        return answer.status


async def test_every_route_asks_for_a_key(guarded: Ingest) -> None:
    """No key and a wrong one are 401, one for reading is 403, and what comes is the key's own."""
    workspaces = ("shop", "rival")
    tokens = [(await make_key(guarded, name, "write")).token for name in workspaces]
    reading = (await make_key(guarded, "shop", "read")).token
    async with ClientSession(guarded.http) as http:
        for number, (method, path) in enumerate(routes()):
            if path in OPEN:
                assert await send(http, method, path, "") in (200, 400, 404), path
                continue
            assert await send(http, method, path, "") == 401, path
            assert await send(http, method, path, "hs_" + "0" * 40) == 401, path
            assert await send(http, method, path, reading) == 403, path
            head = len(await guarded.read())
            for token in tokens:
                assert await send(http, method, path, token, f"m{number}") == 200, path
            recorded = [record.workspace_id for record in await guarded.read(head)]
            assert recorded == ([] if path in ASKING else [*workspaces]), path


@pytest.mark.parametrize(
    ("body", "status"), [(b'{"writeKey": "shop", ', 400), (b" " * 2_000_000, 413)]
)
async def test_what_cannot_be_read_is_told_as_such(
    guarded: Ingest, body: bytes, status: int
) -> None:
    """Its key may stand in it; only a key beside it can be wrong."""
    good = (await make_key(guarded, "shop", "write")).token
    async with ClientSession(guarded.http) as http:
        for headers, said in (({}, status), (basic(good), status), (basic("wrong"), 401)):
            for path in ("/v1/track", "/v1/batch"):
                async with http.post(path, data=body, headers=headers) as answer:
                    assert answer.status == said, (path, headers)
    request = reject_service_pb2.ListRejectsRequest(workspace_id="shop")
    kept = await RejectServiceStub(guarded.channel).ListRejects(request)
    assert len(kept.rejects) == 2


async def test_a_revoked_key_stops_within_seconds(
    guarded: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over HTTP, over gRPC, and in a stream that is open."""
    monkeypatch.setattr("hairspring.runtime.access.FRESH_SECONDS", 0.2)
    monkeypatch.setattr(interceptors, "FRESH_SECONDS", 0.2)
    made = await make_key(guarded, "shop", "admin")
    async with (
        ClientSession(guarded.http) as http,
        open_channel(guarded.address, made.token) as channel,
    ):
        theirs = Ingest(channel, guarded.address)
        await theirs.track(event(message_id="m1"))
        stream = theirs.log.TailEvents(event_log_service_pb2.TailEventsRequest())
        [first] = (await anext(aiter(stream))).records
        assert first.event.message_id == "m1"
        revoke = key_service_pb2.RevokeKeyRequest(workspace_id="shop", key_id=made.key.key_id)
        revoked = await KeyServiceStub(guarded.channel).RevokeKey(revoke)
        assert revoked.key.HasField("revoke_time")

        async def shut_out() -> bool:
            return await send(http, "POST", "/v1/track", made.token) == 401

        await eventually(shut_out)
        with pytest.raises(grpc.aio.AioRpcError, match="opens nothing"):
            await theirs.track(event())
        with pytest.raises(grpc.aio.AioRpcError, match="was revoked") as caught:
            [batch async for batch in stream]
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_key_may_bring_so_many_events(guarded: Ingest) -> None:
    """Beyond it is 429 and RESOURCE_EXHAUSTED, with when to try again; another key is let in."""
    made = await make_key(guarded, "shop", "write", events_per_second=1)
    other = await make_key(guarded, "shop", "write")
    async with (
        ClientSession(guarded.http) as http,
        open_channel(guarded.address, made.token) as channel,
    ):
        batch = json.dumps({"batch": [{**CALL, "messageId": f"m{n}"} for n in range(60)]})
        first = await http.post("/v1/batch", data=batch, headers=basic(made.token))
        assert first.status == 200
        again = await http.post("/v1/batch", data=batch, headers=basic(made.token))
        assert again.status == 429
        assert 30 <= int(again.headers["Retry-After"]) <= 60
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await EventServiceStub(channel).TrackEvent(
                event_service_pb2.TrackEventRequest(event=event())
            )
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert 30 <= retry_seconds(caught.value) <= 60
        assert await send(http, "POST", "/v1/track", other.token) == 200
    assert len(await guarded.read()) == 61


async def test_a_stream_that_brings_more_than_its_key_may_is_held_up(guarded: Ingest) -> None:
    """It is not refused: all is recorded, as slowly as the key may bring it."""
    made = await make_key(guarded, "shop", "write", events_per_second=20)

    async def requests() -> AsyncIterator[event_service_pb2.StreamEventsRequest]:
        for number in range(4):
            some = [event(message_id=f"m{number}-{n}") for n in range(20)]
            yield event_service_pb2.StreamEventsRequest(events=some)

    began = time.monotonic()
    async with open_channel(guarded.address, made.token) as channel:
        answers = EventServiceStub(channel).StreamEvents(requests(), timeout=30)
        counts = [len(answer.results) async for answer in answers]
    # The first two are the burst, the third comes once that is used up, the fourth after its debt.
    assert counts == [20] * 4
    assert time.monotonic() - began > 0.9
    assert {record.workspace_id for record in await guarded.read()} == {"shop"}


def retry_seconds(error: grpc.aio.AioRpcError) -> int:
    """After how long a status says to try again."""
    rich = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    for detail in status_pb2.Status.FromString(cast(bytes, rich)).details:
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return int(info.retry_delay.seconds)
    raise AssertionError("there is no RetryInfo")
