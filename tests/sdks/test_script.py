"""Our script where something is in its way: other tabs, no storage, answers that are not 200."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hairspring.services.ingest.collecting.pages import hairspring_js, snippet

from tests.sdks.browser import PATIENCE, browser
from tests.support.waiting import eventually

BLOCKED = """<script>
  Object.defineProperty(window, "localStorage", { get() { throw new Error("blocked"); } });
</script>"""

OLDER = "<script>delete Request.prototype.keepalive;</script>"


class Collector:
    """Answers as it is told, else 200, and remembers what it was sent."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.bodies: list[dict[str, Any]] = []
        self.head = ""
        self.app = web.Application()
        self.app.router.add_get("/hairspring.js", self._script)
        self.app.router.add_get("/{page:first|second}", self._page)
        self.app.router.add_post("/v1/batch", self._batch)

    @property
    def events(self) -> list[tuple[str, str]]:
        """Each tracked call as it came: its message id and its name."""
        return [
            (call["messageId"], call["event"])
            for body in self.bodies
            for call in body["batch"]
            if call["type"] == "track"
        ]

    def names(self) -> list[str]:
        """The names of the tracked calls."""
        return [name for _, name in self.events]

    async def _script(self, request: web.Request) -> web.Response:
        return hairspring_js().answer(request)

    async def _page(self, request: web.Request) -> web.Response:
        lines = snippet(f"http://{request.host}", "k")
        text = f"<!doctype html><title>Shop</title>{self.head}{lines}"
        return web.Response(text=text, content_type="text/html")

    async def _batch(self, request: web.Request) -> web.Response:
        self.bodies.append(json.loads(await request.text()))
        status = self.answers.pop(0) if self.answers else 200
        return web.json_response({"success": status == 200}, status=status)


@asynccontextmanager
async def serving(collector: Collector) -> AsyncIterator[str]:
    """Serve it, and answer its address."""
    async with TestServer(collector.app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_what_is_not_taken_is_sent_again_or_dropped(tmp_path: Path) -> None:
    """Again after 503, 429 and 500, under the same id and in order; never after 400 and 403."""
    collector = Collector()
    async with serving(collector) as url, browser(tmp_path) as opened:
        tab = await opened.open(f"{url}/first")
        await eventually(lambda: len(collector.bodies) == 1, timeout=PATIENCE)
        collector.answers = [400]
        await tab.says("hairspring.track('bad')")
        await eventually(lambda: collector.names() == ["bad"], timeout=PATIENCE)
        collector.answers = [403]
        await tab.says("hairspring.track('barred')")
        await eventually(lambda: collector.names() == ["bad", "barred"], timeout=PATIENCE)
        collector.answers = [503, 429, 500]
        await tab.says("hairspring.track('one'), hairspring.track('two')")
        await eventually(lambda: len(collector.bodies) == 7, timeout=PATIENCE)
        await tab.until("Object.keys(localStorage).every((name) => !name.includes('queue'))")
        assert collector.names() == ["bad", "barred", *["one", "two"] * 4]
        assert len(set(collector.events)) == 4
        assert all(body["writeKey"] == "k" for body in collector.bodies)


async def test_tabs_neither_lose_nor_double(tmp_path: Path) -> None:
    """What two tabs have gathered without a network is sent by one of them, and all of it."""
    collector = Collector()
    async with serving(collector) as url, browser(tmp_path) as opened:
        tabs = [await opened.open(f"{url}/first") for _ in range(2)]
        await eventually(lambda: len(collector.bodies) == 2, timeout=PATIENCE)
        for tab in tabs:
            await tab.network(there=False)
        for number, tab in enumerate(tabs):
            call = f"hairspring.track('{number}-' + i, {{x: 'y'.repeat(999)}})"
            await tab.says(f"for (let i = 0; i < 100; i++) {call}")
        for tab in tabs:
            await tab.network(there=True)
        wanted = {f"{number}-{i}" for number in range(2) for i in range(100)}
        await eventually(lambda: set(collector.names()) == wanted, timeout=PATIENCE)
        await tabs[0].until("Object.keys(localStorage).every((name) => !name.includes('queue'))")
        assert len(collector.events) == 200
        assert len(dict(collector.events)) == 200
        assert all(len(json.dumps(body)) < 64_000 for body in collector.bodies)
        ids = [await tab.says("hairspring.anonymousId()") for tab in tabs]
        assert ids[0] == ids[1]


@pytest.mark.parametrize("head", ["", OLDER], ids=["keepalive", "beacon"])
async def test_what_is_done_last_is_sent_on_leave(tmp_path: Path, head: str) -> None:
    """Though the next page is none of the shop's; also where a fetch ends with its page."""
    collector = Collector()
    collector.head = head
    async with serving(collector) as url, browser(tmp_path) as opened:
        tab = await opened.open(f"{url}/first")
        await eventually(lambda: len(collector.bodies) == 1, timeout=PATIENCE)
        await tab.says("hairspring.track('last'), location.assign('about:blank')")
        await eventually(lambda: collector.names() == ["last"], timeout=PATIENCE)


async def test_without_storage_a_cookie_remembers(tmp_path: Path) -> None:
    """The anonymous id is the same on the next page, and calls are sent all the same."""
    collector = Collector()
    collector.head = BLOCKED
    async with serving(collector) as url, browser(tmp_path) as opened:
        tab = await opened.open(f"{url}/first")
        await tab.until("'version' in hairspring")
        nobody = await tab.says("hairspring.anonymousId()")
        await tab.says("hairspring.identify(42)")
        await tab.go(f"{url}/second")
        await tab.says("hairspring.track('seen')")
        await eventually(lambda: collector.names() == ["seen"], timeout=PATIENCE)
        [last] = [call for call in collector.bodies[-1]["batch"] if call["type"] == "track"]
        assert (last["anonymousId"], last["userId"]) == (nobody, "42")
        await tab.says("hairspring.reset()")
        assert await tab.says("hairspring.anonymousId()") != nobody


async def test_what_waits_is_bounded(tmp_path: Path) -> None:
    """The oldest calls are let go, one that is too large is never kept, and the page goes on."""
    collector = Collector()
    async with serving(collector) as url, browser(tmp_path) as opened:
        tab = await opened.open(f"{url}/first")
        await eventually(lambda: len(collector.bodies) == 1, timeout=PATIENCE)
        await tab.network(there=False)
        await tab.says("hairspring.track('large', {x: 'y'.repeat(40000)})")
        await tab.says("hairspring.track('round', (() => { const x = {}; x.x = x; return x; })())")
        await tab.says("for (let i = 0; i < 510; i++) hairspring.track('n' + i)")
        await tab.network(there=True)
        await eventually(lambda: "n509" in collector.names(), timeout=PATIENCE)
        assert collector.names() == [f"n{number}" for number in range(10, 510)]
