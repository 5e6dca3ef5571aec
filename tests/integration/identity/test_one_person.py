"""Who came anonymously and is then known is one person, through all services."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Sized
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from hairspring.cli import export, simulation
from hairspring.contracts.event.v1 import event_pb2, event_service_pb2
from hairspring.contracts.membership.v1 import membership_service_pb2
from hairspring.contracts.profile.v1 import profile_service_pb2, profile_service_pb2_grpc
from hairspring.definitions import Manifest, load
from hairspring.embedded.mail import MailSink, mail_sink
from hairspring.embedded.ports import free_port
from hairspring.embedded.valkey import ValkeyServer
from hairspring.runtime.client import open_channel
from hairspring.wire.times import iso

from tests.support import servers
from tests.support.cluster import Cluster, cluster, now, track
from tests.support.servers import TestPostgres
from tests.support.waiting import eventually

SEGMENT = """
kind: Segment
name: {name}
enter:
  abandoned: {{event: {event}, unless: {{event: Order Completed}}, after: {after}}}
---
kind: Flow
name: {name}
trigger: {{entered: {name}}}
reentry: {{cooldown: 1d}}
steps:
  - wait: {wait}
  - send: {{template: {name}}}
---
kind: Template
name: {name}
channel: email
subject: "{{{{ profile.name }}}}, your cart is waiting"
html: "{{{{ profile.id }}}} left: {{% for item in cart %}}{{{{ item.name }}}};{{% endfor %}}"
"""
SHOP = "---".join(
    [
        SEGMENT.format(name="carts", event="Product Added", after="2s", wait="1s"),
        SEGMENT.format(name="wishes", event="[Wished, Product Added]", after="1s", wait="5s"),
    ]
)


@pytest_asyncio.fixture(scope="module")
async def open_shop(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: TestPostgres,
    valkey_server: ValkeyServer,
) -> AsyncIterator[tuple[Cluster, str, MailSink]]:
    """The three services, where HTTP is taken, and where mails go."""
    http, directory = f"127.0.0.1:{free_port()}", tmp_path_factory.mktemp("identity")
    async with (
        postgres_server.fresh_database() as database,
        servers.empty_redis(valkey_server) as redis,
        mail_sink(directory) as sink,
        cluster(
            directory,
            database,
            redis,
            smtp_url=sink.url,
            shards="8",
            lease_ms="1500",
            ingest_http=http,
            auth="off",
        ) as running,
    ):
        assert await running.apply(SHOP) == []
        yield running, f"http://{http}", sink


@pytest.fixture
def shop(open_shop: tuple[Cluster, str, MailSink]) -> Cluster:
    return open_shop[0]


@pytest.fixture
def http(open_shop: tuple[Cluster, str, MailSink]) -> str:
    return open_shop[1]


@pytest.fixture
def mails(open_shop: tuple[Cluster, str, MailSink]) -> MailSink:
    return open_shop[2]


def anonymous(device: str, event: str, id: str, *, item: str = "") -> event_pb2.Event:
    """An event of somebody who is not known yet."""
    return event_pb2.Event(
        anonymous_id=device,
        name=event,
        message_id=id,
        properties_json=json.dumps({"name": item} if item else {}).encode(),
    )


def identify(profile: str, device: str, id: str) -> event_pb2.Event:
    """The call that says who somebody anonymous is."""
    traits = {"name": profile.title(), "email": f"{profile}@example.com"}
    return event_pb2.Event(
        type=event_pb2.EVENT_TYPE_IDENTIFY,
        profile_id=profile,
        anonymous_id=device,
        message_id=id,
        properties_json=json.dumps(traits).encode(),
    )


async def changes_of(shop: Cluster, *profiles: str) -> list[tuple[str, str, str, str]]:
    """What was told of profiles: whose, which segment, entered or left, where that came from."""
    return [
        (one["profile"], one["segment"], one["change"], one.get("origin", "live"))
        for one in await shop.changes()
        if one["profile"] in profiles
    ]


def mailed(mails: MailSink, *people: str) -> dict[str, list[str]]:
    """The mails that went to people, by what is in them."""
    found: dict[str, list[str]] = {who: [] for who in people}
    for mail in mails.messages:
        who = mail.recipients[0].removesuffix("@example.com")
        if who in found:
            found[who].append(text_of(mail.message))
    return found


def text_of(message: EmailMessage) -> str:
    """What a mail says."""
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content()).strip()


async def check_simulated(shop: Cluster, directory: Path) -> None:
    """The exported log, judged as it was accepted, gives what was told, byte for byte."""
    until = now()
    await shop.settled(["ada"])
    told = [one for one in await shop.changes() if one["effective_at"] <= iso(until)]
    exported = directory / "exported.jsonl"
    lines = [export.line(record) for record in await shop.event_log()]
    exported.write_bytes(b"\n".join(orjson.dumps(line) for line in lines if line is not None))
    problems: list[str] = []
    plan = load([Manifest(path="shop.yaml", text=SHOP)]).plan()
    simulated = simulation.as_accepted(
        exported, plan, lambda number, what: problems.append(what), until=until
    )
    assert [orjson.loads(one) for one in simulated] == told
    assert problems == []


async def test_a_cart_filled_anonymously_is_left_by_the_person_who_identified(
    shop: Cluster, http: str, mails: MailSink, tmp_path: Path
) -> None:
    """She enters once, under her own id, and one mail tells her what is in it; over gRPC and HTTP.

    Whoever asks by the id of before is told of her.
    """
    await shop.track(anonymous("x1", "Product Added", "a1", item="Hourglass"))
    await shop.track(
        identify("ada", "x1", "a2"), anonymous("x1", "Product Added", "a3", item="Sand")
    )
    item = {"event": "Product Added", "properties": {"name": "Egg timer"}}
    traits = {"traits": {"name": "Bo", "email": "bo@example.com"}}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("track", {"anonymousId": "x2", "messageId": "b1", **item}),
        ("identify", {"anonymousId": "x2", "userId": "bo", "messageId": "b2", **traits}),
        ("identify", {"anonymousId": "x2", "userId": "bo", "messageId": "b3", **traits}),
        ("track", {"anonymousId": "x2", "userId": "bo", "messageId": "b1", **item}),
    ]
    async with ClientSession(http) as web:
        for path, call in calls:
            async with web.post(f"/v1/{path}", json=call) as answer:
                assert await answer.json() == {"success": True}

    await eventually(
        lambda: all(len(mailed(mails, one)[one]) == 2 for one in ("ada", "bo")), timeout=60
    )
    assert mailed(mails, "ada", "bo") == {
        "ada": ["ada left: Hourglass;Sand;"] * 2,
        "bo": ["bo left: Egg timer;"] * 2,
    }
    assert await changes_of(shop, "x1", "x2") == []
    assert sorted(await changes_of(shop, "ada", "bo")) == [
        (who, segment, "entered", "live")
        for who in ("ada", "bo")
        for segment in ("carts", "wishes")
    ]
    explained = await shop.memberships.ExplainMembership(
        membership_service_pb2.ExplainMembershipRequest(segment="carts", profile_id="x1"),
        timeout=20,
    )
    assert (explained.profile_id, explained.member) == ("ada", True)
    async with open_channel(shop.services["rule_evaluator"].address) as channel:
        profiles = profile_service_pb2_grpc.ProfileServiceStub(channel)
        asked = profile_service_pb2.GetProfileRequest(profile_id="x1")
        read = await profiles.GetProfile(asked, timeout=20)
    assert (read.profile.profile_id, read.profile.segments) == ("ada", ["carts", "wishes"])
    await check_simulated(shop, tmp_path)


async def test_a_run_of_before_goes_on_for_the_person(
    shop: Cluster, mails: MailSink, tmp_path: Path
) -> None:
    """Who was in the segment already is in it by the entry of then, and is mailed once."""
    await shop.track(
        anonymous("x3", "Wished", "c1"), anonymous("x3", "Product Added", "c2", item="Sand")
    )
    await eventually(lambda: count(changes_of(shop, "x3"), 1), timeout=30)
    [before] = [one for one in await shop.changes() if one["profile"] == "x3"]
    await shop.track(identify("cy", "x3", "c3"))
    await eventually(lambda: count(changes_of(shop, "cy"), 2), timeout=30)
    assert sorted(await changes_of(shop, "x3", "cy")) == [
        ("cy", "carts", "entered", "live"),
        ("cy", "wishes", "entered", "merge"),
        ("x3", "wishes", "entered", "live"),
        ("x3", "wishes", "left", "merge"),
    ]
    answer = await shop.memberships.CheckMemberships(
        membership_service_pb2.CheckMembershipsRequest(
            questions=[
                membership_service_pb2.MembershipQuestion(profile_id=name, segment="wishes")
                for name in ("x3", "cy", "x3")
            ]
        ),
        timeout=20,
    )
    assert [(one.profile_id, one.member) for one in answer.answers] == [("cy", True)] * 3
    entered = {iso(one.enter_time.ToMilliseconds()) for one in answer.answers}
    assert entered == {before["effective_at"]}
    await eventually(lambda: len(mailed(mails, "cy")["cy"]) == 2, timeout=60)
    assert mailed(mails, "cy") == {"cy": ["cy left: Sand;"] * 2}
    await check_simulated(shop, tmp_path)


async def test_known_persons_are_one_by_an_alias_only(shop: Cluster, tmp_path: Path) -> None:
    """An identify that names another known person links nobody; ids of nobody are refused."""
    await shop.track(track("dee", "Wished", id="d1"), track("eve", "Wished", id="e1"))
    await shop.track(identify("dee", "eve", "d2"))
    await eventually(lambda: count(changes_of(shop, "dee", "eve"), 2), timeout=30)
    assert {one[2:] for one in await changes_of(shop, "dee", "eve")} == {("entered", "live")}
    for nobody in ("null", "undefined", "0", "guest", ""):
        request = event_service_pb2.AliasProfileRequest(profile_id="dee", previous_id=nobody)
        refused = (await shop.events.AliasProfile(request, timeout=10)).result
        assert refused.status == event_service_pb2.EVENT_STATUS_REFUSED
        assert "previous_id" in refused.problem
    [refused] = await shop.track(identify("dee", "undefined", "d3"))
    assert refused.status == event_service_pb2.EVENT_STATUS_REFUSED

    request = event_service_pb2.AliasProfileRequest(profile_id="eve", previous_id="dee")
    for _ in range(2):
        done = (await shop.events.AliasProfile(request, timeout=10)).result
        assert done.status == event_service_pb2.EVENT_STATUS_ACCEPTED
    await shop.settled(["dee", "eve"])
    assert (await changes_of(shop, "dee"))[-1] == ("dee", "wishes", "left", "merge")
    assert len(await changes_of(shop, "eve")) == 1
    await check_simulated(shop, tmp_path)


async def test_whatever_crashes_everybody_is_merged_once(
    shop: Cluster, mails: MailSink, tmp_path: Path
) -> None:
    """With ingest and an evaluator killed amid identifies, each is entered once and mailed once."""
    chance, people = random.Random(7), [f"p{number}" for number in range(24)]
    sending = []
    for number, who in enumerate(people):
        added = anonymous(f"x-{who}", "Product Added", f"{who}-1", item="Hourglass")
        known = identify(who, f"x-{who}", f"{who}-2")
        sending.append(asyncio.create_task(later(shop, chance.random(), added, known)))
        if number % 3 == 0:
            sending.append(asyncio.create_task(later(shop, 1.0 + chance.random(), known, added)))
    await asyncio.sleep(0.3)  # some of it is to be under way
    crashing = [shop.services[name] for name in ("ingest", "rule_evaluator")]
    await asyncio.gather(*(service.kill() for service in crashing))
    await asyncio.gather(*(service.start() for service in crashing))
    await asyncio.gather(*sending)

    await eventually(
        lambda: all(len(said) == 2 for said in mailed(mails, *people).values()), timeout=90
    )
    merged = [
        record.merged.from_profile_id
        for record in await shop.event_log()
        if record.WhichOneof("body") == "merged" and record.profile_id in people
    ]
    # Whoever was identified before anything else came had nothing to be merged.
    assert len(merged) == len(set(merged)) >= len(people) // 2
    entered = [one for one in await changes_of(shop, *people) if one[2] == "entered"]
    assert sorted(one[:2] for one in entered) == sorted(
        (who, segment) for who in people for segment in ("carts", "wishes")
    )
    await check_simulated(shop, tmp_path)


async def later(shop: Cluster, seconds: float, *events: event_pb2.Event) -> None:
    """Send events one after another, the first of them a while from now."""
    await asyncio.sleep(seconds)
    for event in events:
        await shop.track(event)


async def count(found: Awaitable[Sized], least: int) -> bool:
    """Whether so many were found."""
    return len(await found) >= least
