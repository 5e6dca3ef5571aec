"""The routes of the collector: a request is read, its calls are collected, and it is answered."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import Unauthenticated
from hairspring.services.ingest.collecting import answers, sources
from hairspring.services.ingest.collecting.bodies import (
    BadBody,
    Body,
    TooLarge,
    read_batch,
    read_single,
    unpacked,
)
from hairspring.services.ingest.collecting.collector import Bounds, Collected, Collector
from hairspring.services.ingest.collecting.keys import Entrance, write_key
from hairspring.services.ingest.collecting.kinds import BATCH_PATHS, PATHS, Kind
from hairspring.services.ingest.collecting.pages import Bundle, Pages
from hairspring.services.ingest.collecting.pixel import GIF, read_query
from hairspring.services.ingest.collecting.requests import InHand
from hairspring.services.ingest.tracing import note_trace

READ_SECONDS = 30.0
"""How long a body may take to come."""


class Routes:
    """Answers requests. `public_url` is where senders find this, where a Host does not tell.

    `bundle` is Segment's for browsers, where there is one.
    """

    def __init__(
        self,
        collector: Collector,
        entrance: Entrance,
        bounds: Bounds,
        *,
        clock: Clock,
        public_url: str = "",
        bundle: Bundle | None = None,
    ) -> None:
        self.collector = collector
        self._entrance = entrance
        self._bounds = bounds
        self._clock = clock
        self._public_url = public_url
        self._pages = Pages(bundle, self._base)

    def app(self, in_hand: InHand) -> web.Application:
        """Make the application of these routes."""
        app = web.Application(middlewares=[in_hand.around], client_max_size=self._bounds.body_bytes)
        add = app.router
        for path in PATHS:
            add.add_post(f"/v1/{path}", self.single)
        for path in (*(f"/v1/{name}" for name in BATCH_PATHS), "/beacon/v1/batch"):
            add.add_post(path, self.batch)
        for path in ("/pixel/v1/{kind}", "/v1/pixel/{kind}"):
            add.add_get(path, self.pixel)
        add.add_get("/v1/projects/{key}/settings", self.settings)
        add.add_get("/sourceConfig", self.source_config)
        add.add_get("/sourceConfig/", self.source_config)
        add.add_post("/v1/m", self.measures)
        add.add_get("/healthz", self.health)
        self._pages.add_to(add)
        return app

    async def single(self, request: web.Request) -> web.Response:
        """Take one call, of the kind that the path names."""
        kind = PATHS[request.path.rpartition("/")[2]]
        return await self._take(request, kind, read_single)

    async def batch(self, request: web.Request) -> web.Response:
        """Take many calls, each of the kind that it names itself."""
        most = self._bounds.batch_events
        return await self._take(request, None, lambda data: read_batch(data, most=most))

    async def _take(
        self, request: web.Request, kind: Kind | None, read: Callable[[bytes], Body]
    ) -> web.Response:
        """Read a body, collect its calls, and answer what became of them."""
        received_at, data = self._clock(), b""
        try:
            data = await self._read(request)
            body = read(data)
        except BadBody as error:
            await self._refuse(request, data, error, kind, received_at)
            raise
        collected = await self._collect(request, body, kind, len(data), received_at)
        return answers.collected(collected.rejected)

    async def _refuse(
        self, request: web.Request, data: bytes, error: BadBody, kind: Kind | None, received_at: int
    ) -> None:
        """Have a body that cannot be read kept, where a key beside it says whose it is."""
        key = self._key(request, "")
        try:
            workspace = await self._entrance.workspace_of(key, 1)
        except Unauthenticated:
            if key:
                raise
            return  # Its key may stand in what cannot be read.
        shown = key.encode("utf-8", "surrogateescape")  # As it came in a header.
        body = data.replace(shown, b"***") if key else data
        await self.collector.refuse(workspace, body, error, kind=kind, received_at=received_at)

    async def pixel(self, request: web.Request) -> web.Response:
        """Take one call from the address of a picture, and answer the picture."""
        kind = PATHS.get(request.match_info["kind"])
        if kind is None:
            raise web.HTTPNotFound
        received_at, body = self._clock(), read_query(request.query.items())
        await self._collect(request, body, kind, len(request.raw_path), received_at)
        return web.Response(
            body=GIF, content_type="image/gif", headers={"Cache-Control": "no-store"}
        )

    async def settings(self, request: web.Request) -> web.Response:
        """Answer what analytics.js and the mobile SDKs ask first."""
        key = request.match_info["key"]
        await self._entrance.workspace_of(key)
        return answers.json(sources.segment_settings(key, self._base(request)))

    async def source_config(self, request: web.Request) -> web.Response:
        """Answer what RudderStack's browser SDK asks first."""
        key = self._key(request, "")
        await self._entrance.workspace_of(key)
        return answers.json(sources.source_config(key, self._base(request)))

    async def measures(self, request: web.Request) -> web.Response:
        """Take what SDKs tell of themselves, and make nothing of it."""
        await self._read(request)
        return answers.collected([])

    async def health(self, request: web.Request) -> web.Response:
        """Answer that requests are taken: while the service ends, this is 503 as all else is."""
        return answers.json({"status": "serving"})

    async def _collect(
        self, request: web.Request, body: Body, kind: Kind | None, size: int, received_at: int
    ) -> Collected:
        key = self._key(request, body.envelope.write_key)
        workspace = await self._entrance.workspace_of(key, max(1, len(body.payloads)))
        collected = await self.collector.collect(
            workspace, body, kind=kind, size=size, received_at=received_at
        )
        note_trace(request.headers.get("traceparent", ""), workspace, collected.results)
        return collected

    def _key(self, request: web.Request, inside: str) -> str:
        return write_key(
            request.headers.get("Authorization", ""),
            request.query.get("writeKey", "") if request.query_string else "",
            inside,
        )

    async def _read(self, request: web.Request) -> bytes:
        """Read a body, of whatever type it says it is. Raises BadBody."""
        most = self._bounds.body_bytes
        try:
            async with asyncio.timeout(READ_SECONDS):
                data = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except web.HTTPRequestEntityTooLarge:
            raise TooLarge(most) from None
        except web.RequestPayloadError as error:
            raise BadBody("invalid_body", f"the body cannot be read: {error}") from None
        return unpacked(data, most)

    def _base(self, request: web.Request) -> str:
        return sources.base_url(
            setting=self._public_url,
            scheme=request.scheme,
            forwarded=request.headers.get("X-Forwarded-Proto", ""),
            host=request.host,
        )
