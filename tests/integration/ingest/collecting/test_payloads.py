"""2,710 payloads that engineers wrote for tests of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.integration.ingest.running import Ingest
from tests.support.shared_data import shared_data

KINDS = ("track", "identify", "page", "screen", "group", "alias")
AT_ONCE = 32
LARGEST = 32 * 1024
MOST_AT_ONCE = 480 * 1024
NOBODY = {"null", "undefined", "0", "guest", "none"}


def payloads() -> list[dict[str, Any]]:
    """Every payload of the file."""
    lines = shared_data("segment-payloads/payloads.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def written(payload: object) -> bytes:
    """A payload as JSON."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def kind_of(payload: dict[str, Any]) -> str:
    """The kind of a payload, empty where Segment knows none of that name."""
    kind = str(payload.get("type")).lower()
    return kind if kind in KINDS else ""


def sound(payload: dict[str, Any]) -> bool:
    """Whether Segment would take a payload, told by its documentation and not by our code."""
    kind, integrations = kind_of(payload), payload.get("integrations") or {}
    person = payload.get("userId") or payload.get("anonymousId")
    objects = [payload.get(key) or {} for key in ("properties", "traits", "context")]
    if kind in ("track", "page", "screen"):
        objects.pop(1)
    elif kind != "identify":
        objects = objects[1:] if kind == "group" else objects[2:]
    return (
        kind != ""
        and bool(person)
        and str(person).lower() not in NOBODY
        and all(isinstance(value, dict) for value in objects)
        and (kind != "track" or (isinstance(payload.get("event"), str) and payload["event"] != ""))
        and (kind != "group" or bool(payload.get("groupId")))
        and (
            kind != "alias"
            or bool(
                payload.get("userId") and (payload.get("previousId") or payload.get("anonymousId"))
            )
        )
        and len(written(payload)) <= LARGEST
        and (integrations.get("All") is not False or "Segment.io" in integrations)
    )


def batches(found: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """The payloads, so many at once; fewer where they are large, as an SDK sends them."""
    batch: list[dict[str, Any]] = []
    room = MOST_AT_ONCE
    for payload in found:
        room -= len(written(payload)) + 1
        if batch and (len(batch) == size or room < 0):
            yield batch
            batch, room = [], MOST_AT_ONCE - len(written(payload)) - 1
        batch.append(payload)
    yield batch


async def check(service: Ingest, taken: list[dict[str, Any]]) -> None:
    """Every payload that was taken is in the log, once, under its own id or one made for it."""
    ids = {payload["messageId"] for payload in taken if payload.get("messageId")}
    unnamed = sum(not payload.get("messageId") for payload in taken)
    recorded = [
        record.event.message_id
        for record in await service.read()
        if record.WhichOneof("body") == "event"
    ]
    assert len(recorded) == len(ids) + unnamed
    assert ids <= set(recorded)
    assert len(set(recorded)) == len(recorded)


async def test_one_by_one(service: Ingest) -> None:
    """Each is answered as Segment answers it, and is in the log or told as refused."""
    found, taken, many = payloads(), list[dict[str, Any]](), asyncio.Semaphore(AT_ONCE)
    async with ClientSession(service.http) as http:

        async def send(payload: dict[str, Any]) -> None:
            kind = kind_of(payload)
            body = written(payload if kind else {"batch": [payload]})
            async with many, http.post(f"/v1/{kind or 'batch'}", data=body) as answer:
                told = await answer.json()
            too_large = kind and len(body) > LARGEST
            assert answer.status == (400 if too_large else 200), (payload, told)
            assert told["success"] is sound(payload), (payload, told)
            assert told["success"] or told.get("code") or told["refused"][0]["message"]
            if told["success"]:
                taken.append(payload)

        await asyncio.gather(*map(send, found))
    assert len(taken) == sum(map(sound, found))
    await check(service, taken)


@pytest.mark.parametrize("size", [7, 100])
async def test_in_batches(service: Ingest, size: int) -> None:
    """Those that are refused are told by their places, and harm none of the others."""
    found, taken = payloads(), list[dict[str, Any]]()
    async with ClientSession(service.http) as http:
        for batch in batches(found, size):
            body = written({"batch": batch})
            async with http.post("/v1/batch", data=body) as answer:
                told = await answer.json()
            assert answer.status == 200, told
            refused = {one["index"] for one in told.get("refused", [])}
            assert refused == {n for n, one in enumerate(batch) if not sound(one)}, told
            taken += [one for n, one in enumerate(batch) if n not in refused]
    assert len(taken) == sum(map(sound, found)) > 1_800
    await check(service, taken)
