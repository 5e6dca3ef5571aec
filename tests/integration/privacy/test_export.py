"""All that is known of somebody, written out."""

from __future__ import annotations

from pathlib import Path

from hairspring.contracts.event.v1 import event_service_pb2
from hairspring.embedded.mail import MailSink

from tests.integration.privacy.shop import export, identify, open_shop
from tests.support.cluster import Cluster, track
from tests.support.waiting import eventually


async def test_all_that_the_services_know_of_a_profile(
    tmp_path: Path, database_url: str, redis_url: str, mail_sink: MailSink
) -> None:
    """Events, traits, tags, memberships, transitions, runs and messages of her, of nobody else."""
    async with open_shop(tmp_path, database_url, redis_url, mail_sink) as shop:
        for name in ("ada", "bo"):
            await identify(shop, name, name=name.title(), email=f"{name}@example.com")
            await shop.track(track(name, "Order Completed", price=39))
        await shop.events.AddTags(event_service_pb2.AddTagsRequest(profile_id="ada", tags=["vip"]))
        await eventually(lambda: _mailed(shop), timeout=30)

        lines = await export(shop, "ada")
        at_ingest = await export(shop, "ada", "ingest")
        unknown = await export(shop, "nobody-else")

    kinds = [line["kind"] for line in lines]
    by_kind = {line["kind"]: line for line in lines}
    assert kinds == [
        *["event"] * 3, "profile", "membership", "transition", "run", "message",
    ]  # fmt: skip
    assert [line.get("event") for line in lines[:3]] == [None, "Order Completed", None]
    assert lines[1]["properties"] == {"price": 39}
    assert by_kind["profile"]["traits"] == {"name": "Ada", "email": "ada@example.com"}
    assert by_kind["profile"]["tags"] == ["vip"]
    assert by_kind["membership"]["segment"] == "buyers"
    assert (by_kind["transition"]["change"], by_kind["run"]["status"]) == ("entered", "ended")
    assert by_kind["message"]["recipient"] == "ada@example.com"
    assert "bo@" not in str(lines)
    assert at_ingest == lines[:3]
    assert unknown == []


async def _mailed(shop: Cluster) -> bool:
    return any(line.get("sent_at") for line in await export(shop, "ada"))
