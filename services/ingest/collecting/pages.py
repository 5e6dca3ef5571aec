"""What pages of a shop load from the collector: scripts, and the lines that a shop pastes."""

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import orjson
from aiohttp import web
from hairspring.runtime.errors import StartFailed
from hairspring.services.ingest.collecting import answers
from hairspring.services.ingest.collecting.sources import segment_settings

HERE = Path(__file__).parent / "scripts"

MOST_BYTES = 4 * 1024 * 1024
"""The most that a bundle may have."""

KEPT = "public, max-age=600, stale-while-revalidate=86400"
"""How long browsers keep a script: ten minutes, and for a day while they look for a newer one."""

_KEY = re.compile(r"[A-Za-z0-9_.~-]{1,255}")
_PART = re.compile(r"[A-Za-z0-9-]{1,64}\.bundle\.[0-9a-f]{8,64}\.js")

NO_BUNDLE = """\
Segment's analytics.js is not here: it is Segment's, and does not come with Hairspring.

    npm install --ignore-scripts --prefix /opt/segment @segment/analytics-next@1.84.3

brings it, and this setting of ingest says where it is:

    HAIRSPRING_INGEST_ANALYTICS_JS=/opt/segment/node_modules/@segment/analytics-next/dist/umd/index.js

Or use our own, which needs nothing: /hairspring.js, by the lines that /snippet answers.
"""


class BadBundle(StartFailed):
    """The file that should be Segment's bundle is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script, plain and packed, each with the tag by which browsers know it."""

    plain: bytes
    packed: bytes
    tag: str

    @staticmethod
    def of(plain: bytes) -> "Script":
        """Pack a script. It takes a millisecond for each 20 KB, so it is done once."""
        packed = gzip.compress(plain, compresslevel=9, mtime=0)
        return Script(plain=plain, packed=packed, tag=sha256(plain).hexdigest()[:32])

    def answer(self, request: web.Request) -> web.Response:
        """Answer it, packed where the browser takes that; 304 where the browser has it."""
        packing = "gzip" in request.headers.get("Accept-Encoding", "").lower()
        tag = f"{self.tag}-gzip" if packing else self.tag
        headers = {
            "ETag": f'"{tag}"',
            "Cache-Control": KEPT,
            "Vary": "Accept-Encoding",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "X-Content-Type-Options": "nosniff",
        }
        if any(known.value in ("*", tag) for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        if packing:
            headers["Content-Encoding"] = "gzip"
        return web.Response(
            body=self.packed if packing else self.plain,
            headers=headers,
            content_type="text/javascript",
            charset="utf-8",
        )


@cache
def hairspring_js() -> Script:
    """Answer our own script."""
    return Script.of((HERE / "hairspring.js").read_bytes())


def snippet(address: str, key: str) -> str | None:
    """Answer the lines that a shop pastes into its pages; None for what cannot be a write key."""
    if not _KEY.fullmatch(key):
        return None
    lines = (HERE / "snippet.html").read_text()
    return lines.replace("ADDRESS", address).replace("WRITE_KEY", key)


class Bundle:
    """Segment's bundle from the file `index.js` of its package, and the parts that lie beside it.

    Raises BadBundle. All is read once: what changes on the disk counts from the next start on.
    """

    def __init__(self, path: Path) -> None:
        bundle = _read(path)
        if b"AnalyticsNext" not in bundle or b"AnalyticsBrowser" not in bundle:
            raise BadBundle(f"{path} is not dist/umd/index.js of @segment/analytics-next")
        settings = orjson.dumps(segment_settings("", "https://nowhere"))
        before = (HERE / "analytics_before.js").read_bytes()
        after = (HERE / "analytics_after.js").read_bytes().replace(b"SETTINGS", settings)
        self.script = Script.of(before + bundle + after)
        self.parts = {
            part.name: Script.of(_read(part))
            for part in sorted(path.parent.iterdir())
            if _PART.fullmatch(part.name)
        }


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadBundle(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise BadBundle(f"{path} is larger than {MOST_BYTES} bytes: it is no script for pages")
    return data


class Pages:
    """Answers what pages load. `bundle` is Segment's, where there is one.

    `address` tells where the page that asks finds us.
    """

    def __init__(self, bundle: Bundle | None, address: Callable[[web.Request], str]) -> None:
        self._bundle = bundle
        self._address = address

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/hairspring.js", self.own)
        router.add_get("/snippet", self.snippet)
        for path in ("/analytics.js", "/analytics.js/v1/{key}/analytics{min:(\\.min)?}.js"):
            router.add_get(path, self.segments)
        router.add_get("/analytics-next/bundles/{part}", self.part)

    async def own(self, request: web.Request) -> web.Response:
        """Answer hairspring.js."""
        return hairspring_js().answer(request)

    async def snippet(self, request: web.Request) -> web.Response:
        """Answer the lines to paste, for `?writeKey=KEY`, as text."""
        lines = snippet(self._address(request), request.query.get("writeKey", ""))
        if lines is None:
            return answers.problem(400, "bad_key", "say which write key: /snippet?writeKey=KEY")
        return web.Response(
            text=lines, headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        )

    async def segments(self, request: web.Request) -> web.Response:
        """Answer Segment's analytics.js, or how it comes here."""
        if self._bundle is None:
            return web.Response(status=404, text=NO_BUNDLE)
        return self._bundle.script.answer(request)

    async def part(self, request: web.Request) -> web.Response:
        """Answer a part that Segment's bundle asks for where a page needs it."""
        part = self._bundle.parts.get(request.match_info["part"]) if self._bundle else None
        if part is None:
            raise web.HTTPNotFound
        return part.answer(request)
