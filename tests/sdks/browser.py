"""A headless Chromium, and what a person does in it: open pages, click, lose the network."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

from tests.sdks.installed import program
from tests.support.waiting import eventually

PATIENCE = 60.0
_FLAGS = (
    *(
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-dev-shm-usage",
    ),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@asynccontextmanager
async def browsing(url: str, directory: Path, *flags: str) -> AsyncIterator[None]:
    """Have a page open in a browser that knows nothing yet."""
    chromium = program("chromium", "chromium-browser", "google-chrome")
    process = await asyncio.create_subprocess_exec(
        chromium,
        *_FLAGS,
        *flags,
        f"--user-data-dir={directory}",
        url,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


class Browser:
    """A browser that is told what to do by its debugging protocol."""

    def __init__(self, http: ClientSession) -> None:
        self._http = http

    async def open(self, url: str) -> Tab:
        """Open a page in a tab of its own."""
        async with self._http.put("/json/new?about:blank") as answer:
            told = await answer.json(content_type=None)
        tab = Tab(await self._http.ws_connect(told["webSocketDebuggerUrl"], max_msg_size=0))
        await tab.go(url)
        return tab


@asynccontextmanager
async def browser(directory: Path) -> AsyncIterator[Browser]:
    """Run a browser."""
    async with browsing("about:blank", directory, "--remote-debugging-port=0"):
        told = directory / "DevToolsActivePort"

        def port() -> str:
            lines = told.read_text().splitlines() if told.exists() else []
            assert len(lines) == 2
            return lines[0]

        async with ClientSession(
            f"http://127.0.0.1:{await eventually(port, timeout=PATIENCE)}"
        ) as http:
            yield Browser(http)


class Tab:
    """A tab: what it shows, and what happens in it."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def go(self, url: str) -> None:
        """Go to a page, and wait until it stands."""
        await self._tell("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'", at=url)

    async def says(self, expression: str) -> Any:
        """Answer the value of an expression, a promise's once it is kept."""
        told = await self._tell(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def until(self, expression: str, *, at: str = "") -> None:
        """Wait until an expression holds, on the page at that address where one is given."""
        here = f"location.href === {json.dumps(at)} && " if at else ""

        async def so() -> bool:
            return await self.says(f"{here}({expression})") is True

        await eventually(so, timeout=PATIENCE)

    async def network(self, *, there: bool) -> None:
        """Take the network away, or give it back."""
        await self._tell("Network.enable")
        await self._tell(
            "Network.emulateNetworkConditions",
            offline=not there,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    async def picture(self, path: Path) -> None:
        """Write what the tab shows as a PNG."""
        told = await self._tell("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(told["data"]))

    async def _tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE):
            while (told := await self._socket.receive_json()).get("id") != number:
                pass  # Something that happens, and that nobody asked for.
        if "error" in told:
            # A page that is being left says so; whoever waits asks again.
            raise AssertionError(told["error"])
        result: dict[str, Any] = told["result"]
        return result
