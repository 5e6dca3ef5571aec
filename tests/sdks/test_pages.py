"""A small shop whose pages bear our script, or Segment's from us: from the click to the segment."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from hairspring.contracts.access.v1 import access_pb2
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.key.v1 import key_service_pb2
from hairspring.contracts.key.v1.key_service_pb2_grpc import KeyServiceStub
from hairspring.embedded.ports import free_port
from hairspring.runtime.client import open_channel

from tests.sdks.browser import Browser, Tab, browser
from tests.sdks.installed import SENDERS
from tests.support.cluster import TOKEN, Cluster, cluster
from tests.support.waiting import eventually

PATIENCE = 60.0
ABANDONED = """
kind: Segment
name: cart-abandoners
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 2s}
"""

OURS = "hairspring"
SEGMENTS = "analytics"
SHORT = (
    '<script src="{url}/analytics.js?writeKey={key}"></script>\n<script>analytics.page()</script>'
)
AS_SEGMENT = """<script>
  // What Segment's own snippet leaves behind: a list of calls, and the script by its path there.
  analytics = []; analytics._writeKey = "{key}"; analytics.invoked = true;
  for (const name of ["track", "identify", "page", "reset"])
    analytics[name] = (...given) => analytics.push([name, ...given]);
</script>
<script async src="{url}/analytics.js/v1/{key}/analytics.min.js"></script>
<script>analytics.page()</script>"""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A running shop: its address, the services behind it, and where its collector is."""

    url: str
    services: Cluster
    collector: str

    async def records(self) -> list[event_pb2.EventRecord]:
        """Everything in the log."""
        return await self.services.event_log()

    async def added(self, count: int) -> list[event_pb2.EventRecord]:
        """Wait for so many additions to a cart, and see that there are no more."""

        async def so() -> list[event_pb2.EventRecord]:
            found = [r for r in await self.records() if r.event.name == "Product Added"]
            assert len(found) >= count, f"{len(found)} of {count}"
            return found

        found = await eventually(so, timeout=PATIENCE, every=0.1)
        assert sorted(map(number_of, found)) == [*range(1, count + 1)]
        return found

    async def abandoned(self, profile: str) -> None:
        """Wait until she, and nobody else, is known to have left a cart."""

        async def so() -> bool:
            changes = await self.services.changes()
            assert {change["profile"] for change in changes} == {profile}, changes
            assert changes[-1]["change"] == "entered", changes
            return True

        await eventually(so, timeout=PATIENCE, every=0.1)


def number_of(record: event_pb2.EventRecord) -> int:
    """Which addition it is."""
    return int(json.loads(record.event.properties_json)["number"])


def pages(sdk: str, name: str) -> web.Application:
    """The pages of a shop, each with the lines of an SDK."""
    template = (SENDERS / "shop.html").read_text().replace("SDK", sdk).replace("GLOBAL", name)

    async def page(request: web.Request) -> web.Response:
        title = {"product": "Brass hourglass", "cart": "Your cart"}[request.match_info["page"]]
        return web.Response(text=template.replace("TITLE", title), content_type="text/html")

    app = web.Application()
    app.router.add_get("/{page:product|cart}", page)
    return app


@asynccontextmanager
async def shop(
    sdk: str, directory: Path, database_url: str, redis_url: str, **settings: str
) -> AsyncIterator[Shop]:
    """Run a shop with the services behind it."""
    address = f"127.0.0.1:{free_port()}"
    async with cluster(
        directory,
        database_url,
        redis_url,
        services=("ingest", "rule_evaluator"),
        ingest_http=address,
        **settings,
    ) as services:
        await services.apply(ABANDONED)
        url = f"http://{address}"
        key, name = await _write_key(services), SEGMENTS
        if sdk == OURS:
            name = OURS
            async with ClientSession() as http, http.get(f"{url}/snippet?writeKey={key}") as answer:
                sdk = await answer.text()
        sdk = sdk.replace("{url}", url).replace("{key}", key)
        async with TestServer(pages(sdk, name)) as server:
            root = str(server.make_url("")).rstrip("/")
            yield Shop(url=root, services=services, collector=url)


async def _write_key(services: Cluster) -> str:
    """Make a key as a shop puts it into its pages."""
    async with open_channel(services.services["ingest"].address, TOKEN) as channel:
        request = key_service_pb2.CreateKeyRequest(
            workspace_id="default", name="shop", scopes=[access_pb2.SCOPE_WRITE]
        )
        return (await KeyServiceStub(channel).CreateKey(request)).token


async def click(tab: Tab) -> None:
    """Add to the cart, on a page that stands."""
    await tab.says("document.getElementById('add').click()")


async def shopping(opened: Browser, shop: Shop) -> Tab:
    """Add to the cart and go on at once; again without a network, and while nobody collects."""
    tab = await opened.open(f"{shop.url}/product")
    await click(tab)
    await tab.go(f"{shop.url}/cart")
    await shop.added(1)
    await tab.network(there=False)
    await click(tab)
    await tab.says("new Promise((done) => setTimeout(done, 500))")  # So that it is tried in vain.
    assert len([r for r in await shop.records() if r.event.name == "Product Added"]) == 1
    await tab.network(there=True)
    await shop.added(2)
    await shop.services.services["ingest"].kill()
    await click(tab)
    await tab.go(f"{shop.url}/product")
    await click(tab)
    await shop.services.services["ingest"].start()
    await shop.added(4)
    return tab


async def test_our_script(tmp_path: Path, database_url: str, redis_url: str) -> None:
    """All arrives once and in order, who leaves her cart is in the segment, and then is known."""
    async with (
        shop(OURS, tmp_path, database_url, redis_url) as running,
        browser(tmp_path / "browser") as opened,
    ):
        tab = await shopping(opened, running)
        nobody = await tab.says("hairspring.anonymousId()")
        await running.abandoned(nobody)
        records = await running.records()
        assert [number_of(one) for one in await running.added(4)] == [1, 2, 3, 4]
        assert {record.profile_id for record in records} == {nobody}
        assert sum(record.event.name == "Page Viewed" for record in records) == 3
        context = json.loads(records[0].event.context_json)
        assert context["library"]["name"] == "hairspring.js"
        assert context["page"]["path"] == "/product"
        rules = {record.event.timing.rule for record in records}
        assert rules == {event_pb2.TIME_RULE_CORRECTED}
        await tab.says("hairspring.identify('ada', {name: 'Ada'})")
        await tab.go(f"{running.url}/product?utm_campaign=spring&utm_source=mail")

        async def known() -> bool:
            last = (await running.records())[-1]
            context = json.loads(last.event.context_json)
            return (
                last.profile_id == "ada"
                and last.event.name == "Page Viewed"
                and last.event.anonymous_id == nobody
                and context["campaign"] == {"name": "spring", "source": "mail"}
            )

        await eventually(known, timeout=PATIENCE)
        await tab.says("hairspring.reset()")
        assert await tab.says("hairspring.anonymousId()") != nobody
        await tab.picture(tmp_path / "shop.png")


@pytest.mark.parametrize("sdk", [SHORT, AS_SEGMENT], ids=["by-key", "by-segments-path"])
async def test_segments_script(
    modules: Path, tmp_path: Path, database_url: str, redis_url: str, sdk: str
) -> None:
    """Served by us it asks nobody but us, and delivers as it should."""
    bundle = modules / "@segment/analytics-next/dist/umd/index.js"
    async with (
        shop(sdk, tmp_path, database_url, redis_url, ingest_analytics_js=str(bundle)) as running,
        browser(tmp_path / "browser") as opened,
    ):
        tab = await shopping(opened, running)
        asked = await tab.says("performance.getEntriesByType('resource').map((one) => one.name)")
        assert all(name.startswith(running.collector) for name in asked)
        assert not any("/settings" in name for name in asked)
        nobody = await tab.says("analytics.user().anonymousId()")
        await running.abandoned(nobody)
