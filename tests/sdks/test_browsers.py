"""The SDKs for browsers, as they are, in a headless Chromium on a page of another origin."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hairspring.contracts.event.v1 import event_pb2

from tests.sdks.browser import browsing
from tests.sdks.installed import SENDERS
from tests.sdks.sending import PATIENCE, Collecting

HALF = 80  #: RudderStack's queue in the browser holds a hundred calls, and drops the oldest.


class Shop:
    """A page with an SDK, which says how far it is and waits to be told to go on."""

    def __init__(self, modules: Path) -> None:
        self.half = asyncio.Event()
        self.go_on = asyncio.Event()
        self.sent = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_static("/modules", modules)
        self.app.router.add_static("/pages", SENDERS)
        self.app.router.add_get("/half", self._half)
        self.app.router.add_get("/sent", self._sent)

    async def _half(self, request: web.Request) -> web.Response:
        self.half.set()
        await self.go_on.wait()
        return web.Response()

    async def _sent(self, request: web.Request) -> web.Response:
        self.sent.set()
        return web.Response()


@pytest.mark.parametrize("page", ["segment.html", "rudder.html"])
async def test_browser(modules: Path, collecting: Collecting, page: str, tmp_path: Path) -> None:
    """It asks for its settings, and delivers everything once, though the collector was killed."""
    shop = Shop(modules)
    async with TestServer(shop.app) as server:
        query = urlencode({"collector": collecting.url, "half": HALF})
        async with browsing(f"{server.make_url(f'/pages/{page}')}?{query}", tmp_path):
            async with asyncio.timeout(PATIENCE):
                await shop.half.wait()
                await collecting.delivered(0, HALF)
                await collecting.kill()
                shop.go_on.set()
                await shop.sent.wait()
                await asyncio.sleep(0.5)  # So that some of it has been tried in vain.
                await collecting.start()
            records = await collecting.delivered(0, 2 * HALF)
    assert {record.profile_id for record in records if record.event.name == "Product Added"} == {
        "ada"
    }
    assert all(record.event.anonymous_id for record in records if record.profile_id == "ada")
    kinds = [record.event.type for record in records]
    assert kinds.count(event_pb2.EVENT_TYPE_IDENTIFY) == 1
    assert sum(record.event.name == "Page Viewed" for record in records) == 1
