"""What is known of somebody is written out, and forgotten: by all services, for good, only hers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result
from hairspring.cli.main import main
from hairspring.contracts.event.v1 import event_service_pb2
from hairspring.contracts.membership.v1 import membership_service_pb2
from hairspring.contracts.privacy.v1 import privacy_pb2
from hairspring.embedded.mail import mail_sink
from hairspring.embedded.valkey import ValkeyServer

from tests.integration.privacy.shop import (
    Shop,
    delete,
    deleted,
    export,
    identify,
    open_shop,
    receipt_of,
    until_done,
)
from tests.support import servers
from tests.support.cluster import now, track
from tests.support.servers import TestPostgres
from tests.support.waiting import eventually

DELETED = event_service_pb2.EVENT_STATUS_DELETED
ACCEPTED = event_service_pb2.EVENT_STATUS_ACCEPTED
REPEATED = event_service_pb2.EVENT_STATUS_REPEATED


@pytest_asyncio.fixture(scope="module")
async def shop(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: TestPostgres,
    valkey_server: ValkeyServer,
) -> AsyncIterator[Shop]:
    """All three services, which the tests here share; each has people of its own."""
    directory = tmp_path_factory.mktemp("shop")
    async with (
        postgres_server.fresh_database() as database_url,
        servers.empty_redis(valkey_server) as redis_url,
        mail_sink(directory / "mail") as sink,
        open_shop(directory, database_url, redis_url, sink) as running,
    ):
        yield running


async def test_all_that_the_services_know_of_a_profile(shop: Shop) -> None:
    """Events, traits, tags, memberships, transitions, runs and messages of her, of nobody else."""
    for name in ("agathe", "bertram"):
        await buys(shop, name)
    await shop.events.AddTags(event_service_pb2.AddTagsRequest(profile_id="agathe", tags=["vip"]))
    await eventually(lambda: mailed(shop, "agathe"), timeout=30)

    lines = await export(shop, "agathe")
    at_ingest = await export(shop, "agathe", "ingest")

    by_kind = {line["kind"]: line for line in lines}
    kinds = [line["kind"] for line in lines]
    expected = ["profile", "membership", "transition", "run", "message"]
    assert kinds == [*["event"] * 3, *expected]
    assert [line.get("event") for line in lines[:3]] == [None, "Order Completed", None]
    assert lines[1]["properties"] == {"price": 39}
    assert by_kind["profile"]["traits"] == {"name": "Agathe", "email": "agathe@example.com"}
    assert by_kind["profile"]["tags"] == ["vip"]
    assert by_kind["membership"]["segment"] == "buyers"
    assert (by_kind["transition"]["change"], by_kind["run"]["status"]) == ("entered", "ended")
    assert by_kind["message"]["recipient"] == "agathe@example.com"
    assert "bertram" not in str(lines)
    assert at_ingest == lines[:3]
    assert await export(shop, "nobody-else") == []


async def test_all_of_her_goes_and_nothing_of_others(shop: Shop) -> None:
    """Events, state, memberships, runs, messages and timers are gone; the receipt tells of each."""
    for name in ("adelheid", "balduin"):
        await buys(shop, name)
    bought = now()
    await eventually(lambda: now() > bought)  # of the same millisecond, it would be over at once
    await shop.track(*(track(name, "Product Added") for name in ("adelheid", "balduin")))
    await eventually(lambda: mailed(shop, "adelheid", "balduin"), timeout=30)
    await shop.settled(["adelheid", "balduin"])
    armed, before = await shop.timers_naming("adelheid"), await export(shop, "balduin")

    receipt = await deleted(shop, "adelheid")
    await shop.settled(["adelheid"])

    left = await export(shop, "adelheid")
    told = [change for change in await shop.changes() if change["profile"] == "adelheid"]
    bodies = [r.WhichOneof("body") for r in await shop.event_log() if r.profile_id == "adelheid"]
    assert [part.service for part in receipt.parts] == ["ingest", "rule-evaluator", "delivery"]
    assert erased(receipt) == {
        "ingest": {"events": 3},
        "rule-evaluator": {"states": 1, "memberships": 1, "records": 1},
        "delivery": {"runs": 1, "messages": 1},
    }
    assert [(line["kind"], line["change"], line["origin"]) for line in left] == [
        ("transition", "left", "deletion")
    ]
    assert [change["change"] for change in told] == ["left"]
    assert bodies == ["profile_deleted"]
    # Only what tells of the deletion itself names her, in the two logs and their receipts.
    assert await shop.rows_naming("adelheid") == {
        "ingest.log": 1,
        "ingest.deletions": 1,
        "rule_evaluator.log": 2,
        "rule_evaluator.deletions": 1,
    }
    assert (armed, await shop.timers_naming("adelheid")) == (1, 0)
    assert await shop.timers_naming("balduin") == 1
    after = await export(shop, "balduin")
    assert [line for line in after if line["kind"] != "profile"] == [
        line for line in before if line["kind"] != "profile"
    ]


async def test_what_happened_before_never_comes_back(shop: Shop) -> None:
    """Late events, repeats and imports of before are kept nowhere; others are not concerned."""
    early = now() - 5_000
    await shop.track(track("amalie", "Order Completed", id="amalie-1", at=early))
    await shop.settled(["amalie"])
    at = (await deleted(shop, "amalie")).delete_time.ToMilliseconds()

    again = await shop.track(track("amalie", "Order Completed", id="amalie-1", at=early))
    late = await shop.track(
        track("amalie", "Order Completed", at=at), track("benno", "Order Completed", at=early)
    )
    imported = await shop.events.ImportEvents(
        event_service_pb2.ImportEventsRequest(
            import_id="old", events=[track("amalie", "Order Completed", at=early - 1)]
        )
    )
    await shop.events.FinishImport(event_service_pb2.FinishImportRequest(import_id="old"))
    await shop.settled(["amalie"])

    assert [result.status for result in again] == [DELETED]
    assert [result.status for result in late] == [DELETED, ACCEPTED]
    assert "its profile was deleted at" in late[0].problem
    assert [result.status for result in imported.results] == [DELETED]
    assert [line["kind"] for line in await export(shop, "amalie")] == ["transition"]


async def test_what_comes_later_is_of_a_new_profile(shop: Shop) -> None:
    """She starts with nothing, enters a segment anew by what she does then, and gets a mail."""
    await buys(shop, "antonie")
    await eventually(lambda: mailed(shop, "antonie"), timeout=30)
    first = await delete(shop, "antonie")
    await shop.track(track("antonie", "Product Added"))
    await until_done(shop, first.deletion_id)
    await shop.settled(["antonie"])
    between = await export(shop, "antonie")

    await buys(shop, "antonie", "Toni")
    await eventually(lambda: mailed(shop, "antonie"), timeout=30)
    lines = await export(shop, "antonie")

    assert "membership" not in {line["kind"] for line in between}
    assert [line["traits"] for line in between if line["kind"] == "profile"] == [{}]
    assert [line.get("change") for line in lines if "change" in line] == ["left", "entered"]
    assert [line["traits"]["name"] for line in lines if line["kind"] == "profile"] == ["Toni"]
    assert [line["status"] for line in lines if line["kind"] == "message"] == ["sent"]


async def test_a_deletion_under_one_id_is_one_deletion(shop: Shop) -> None:
    """Asking again under its id answers the same, and an id of somebody else's is refused."""
    first = await delete(shop, "alwine", deletion_id="asked-by-alwine")
    await shop.track(track("alwine", "Product Viewed"))

    again = await delete(shop, "alwine", deletion_id="asked-by-alwine")
    with pytest.raises(Exception, match="is of another profile"):
        await delete(shop, "bodo", deletion_id="asked-by-alwine")
    with pytest.raises(Exception, match="there is no deletion 'unheard-of'"):
        await receipt_of(shop, "unheard-of")
    with pytest.raises(Exception, match="stands for nobody"):
        await delete(shop, "undefined")

    assert again.position == first.position
    assert [line["kind"] for line in await export(shop, "alwine", "ingest")] == ["event"]


async def test_all_the_ids_that_stood_for_her_go_with_her(shop: Shop) -> None:
    """What she did before she was known is hers; its past is known by its own id from then on."""
    early = now() - 1_000
    browsed = track("", "Product Viewed", at=early, id="aurelie-1")
    browsed.anonymous_id = "browser-of-aurelie"
    await shop.track(browsed)
    await shop.settled(["browser-of-aurelie"])
    await shop.events.IdentifyProfile(
        event_service_pb2.IdentifyProfileRequest(
            profile_id="aurelie", anonymous_id="browser-of-aurelie", traits_json=b'{"name":"A"}'
        )
    )
    await shop.track(track("aurelie", "Product Viewed"))
    await shop.settled(["aurelie"])
    before = await export(shop, "aurelie")

    receipt = await deleted(shop, "aurelie")
    browsed.message_id = "aurelie-2"
    [late] = await shop.track(browsed)
    [new] = await shop.track(track("browser-of-aurelie", "Product Viewed"))
    await shop.settled(["aurelie", "browser-of-aurelie"])

    assert [line["kind"] for line in before].count("event") >= 3
    assert receipt.id_count == 2
    assert erased(receipt)["ingest"]["events"] >= 3
    assert (late.status, new.status) == (DELETED, ACCEPTED)
    assert "event" not in {line["kind"] for line in await export(shop, "aurelie")}
    for name in ("aurelie", "browser-of-aurelie"):
        named = set(await shop.rows_naming(name))
        assert not named & {"ingest.links", "delivery.formers", "delivery.runs"}
    events = [x for x in await export(shop, "browser-of-aurelie") if x["kind"] == "event"]
    assert len(events) == 1


async def test_what_came_of_her_under_former_ids_is_told_too(shop: Shop) -> None:
    """Transitions, runs and messages of an id that became part of her are hers, and go with her."""
    bought = track("", "Order Completed", price=39)
    bought.anonymous_id = "browser-of-annika"
    await shop.track(bought)
    await eventually(lambda: has(shop, "browser-of-annika", "message"), timeout=30)
    await shop.events.IdentifyProfile(
        event_service_pb2.IdentifyProfileRequest(
            profile_id="annika", anonymous_id="browser-of-annika", traits_json=b"{}"
        )
    )
    await eventually(lambda: has(shop, "annika", "message"), timeout=30)

    before = await export(shop, "annika")
    receipt = await deleted(shop, "annika")

    decided = [
        (line["kind"], line.get("change"))
        for line in before
        if line.get("profile") == "browser-of-annika"
    ]
    assert ("transition", "entered") in decided
    assert decided[-2:] == [("run", None), ("message", None)]
    assert erased(receipt)["delivery"] == {"runs": 1, "messages": 1}
    assert not {line["kind"] for line in await export(shop, "annika")} & {"run", "message"}


async def test_by_the_command_line(shop: Shop) -> None:
    """`profiles delete` waits until all are done; `export` and `receipt` tell what is left."""
    await buys(shop, "auguste")
    await eventually(lambda: mailed(shop, "auguste"), timeout=30)

    written = await hairspring(shop, "profiles", "export", "auguste")
    gone = await hairspring(shop, "profiles", "delete", "auguste", "--id", "by-hand")
    told = await hairspring(shop, "profiles", "receipt", "by-hand")
    shown = await hairspring(shop, "profiles", "receipt", "by-hand", "--format", "table")
    late = await hairspring(
        shop, "track", "Order Completed", "--profile", "auguste", "--time", "2026-01-01T00:00Z"
    )

    kinds = [json.loads(line)["kind"] for line in written.stdout.splitlines()]
    assert kinds.count("message") == 1
    receipt = json.loads(gone.stdout)
    assert (gone.exit_code, receipt["done"], receipt["profile"]) == (0, True, "auguste")
    assert receipt["services"][2]["erased"] == {"runs": 1, "messages": 1}
    assert json.loads(told.stdout) == receipt
    assert "1 runs, 1 messages" in shown.stdout
    assert late.exit_code == 1
    assert "Refused: its profile was deleted at" in late.stderr


async def test_whoever_is_away_comes_to_it_later(shop: Shop) -> None:
    """While the evaluator is dead the receipt says that it waits; all goes once it is back."""
    await buys(shop, "albertine")
    await eventually(lambda: mailed(shop, "albertine"), timeout=30)
    await shop.services["rule_evaluator"].kill()
    await shop.services["delivery"].kill()

    made = await delete(shop, "albertine", "ingest")
    await asyncio.gather(*(shop.services[n].start() for n in ("rule_evaluator", "delivery")))
    receipt = await until_done(shop, made.deletion_id)

    assert erased(receipt)["delivery"] == {"runs": 1, "messages": 1}
    assert set(await shop.rows_naming("albertine")) == {
        "ingest.log",
        "ingest.deletions",
        "rule_evaluator.log",
        "rule_evaluator.deletions",
    }
    answer = await shop.memberships.CheckMemberships(
        membership_service_pb2.CheckMembershipsRequest(
            questions=[
                membership_service_pb2.MembershipQuestion(profile_id="albertine", segment="buyers")
            ]
        ),
        timeout=20,
        wait_for_ready=True,
    )
    assert not answer.answers[0].member


async def buys(shop: Shop, profile: str, name: str = "") -> None:
    """Say who somebody is, and that she bought."""
    await identify(shop, profile, name=name or profile.title(), email=f"{profile}@example.com")
    await shop.track(track(profile, "Order Completed", price=39))


async def has(shop: Shop, profile: str, kind: str) -> bool:
    """Whether something of a kind is known of somebody."""
    return kind in {line["kind"] for line in await export(shop, profile)}


async def mailed(shop: Shop, *profiles: str) -> bool:
    """Whether these people were sent their mails, and that is committed."""
    known = [await export(shop, profile) for profile in profiles]
    return all(any(line.get("sent_at") for line in lines) for lines in known)


async def hairspring(shop: Shop, *arguments: str) -> Result:
    """Run a command."""
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, env=shop.addresses)


def erased(receipt: privacy_pb2.Deletion) -> dict[str, dict[str, int]]:
    """What each service erased, by kind."""
    return {part.service: {one.kind: one.count for one in part.erased} for part in receipt.parts}
