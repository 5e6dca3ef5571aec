"""What every request over HTTP passes: from any page, bounded, counted, and never a bare error."""

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler
from hairspring.runtime.errors import INTERNAL, Exhausted, Unavailable
from hairspring.runtime.logging import get_logger
from hairspring.services.ingest.collecting import answers
from hairspring.services.ingest.group_commit import STOPPING

_ANY_PAGE = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Max-Age": "86400",
}
_USUAL_HEADERS = "Authorization, Content-Type, Content-Encoding, AnonymousId"


class InHand:
    """The requests that are being answered: how many may be, and when the last one is done."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._changed = asyncio.Event()
        self.draining = False

    @web.middleware
    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, whatever becomes of it, so that any page may read the answer."""
        if request.method == "OPTIONS":
            return _preflight(request)
        self._count += 1
        try:
            answer = await self._guarded(request, handler)
        finally:
            self._count -= 1
            self._changed.set()
        answer.headers.update(_ANY_PAGE)
        if self.draining:
            answer.force_close()
        return answer

    async def until_none(self) -> None:
        """Wait until no request is in hand."""
        while self._count:
            self._changed.clear()
            await self._changed.wait()

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if self.draining:
                raise Unavailable(STOPPING)
            if self._count > self._most:
                raise Exhausted("too many requests are in hand; try again in a moment")
            return await handler(request)
        except web.HTTPException as error:
            return answers.problem(error.status, "http", error.reason, _allowed(error))
        except Exception as error:
            answer = answers.failed(error)
            if answer is None:
                get_logger().error("request_failed", path=request.path[:200], exc_info=error)
                return answers.problem(500, "internal", INTERNAL)
            return answer


def _preflight(request: web.Request) -> web.Response:
    """Let a browser send what it asks for: keys are all that opens anything here."""
    asked = request.headers.get("Access-Control-Request-Headers", "")
    allowed = {"Access-Control-Allow-Headers": asked[:1_000] or _USUAL_HEADERS}
    return web.Response(status=204, headers={**_ANY_PAGE, **_PREFLIGHT, **allowed})


def _allowed(error: web.HTTPException) -> dict[str, str]:
    allow = error.headers.get("Allow")
    return {"Allow": allow} if allow else {}
