"""The server around the handlers: errors, drains, addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hairspring.contracts.event.v1 import event_log_service_pb2 as contract
from hairspring.contracts.event.v1 import event_log_service_pb2_grpc
from hairspring.runtime import errors
from hairspring.runtime.access import Open
from hairspring.runtime.client import open_channel
from hairspring.runtime.server import BadAddress, PortTaken, serve

SERVICE = "hairspring.event.v1.EventLogService"


class Handlers(event_log_service_pb2_grpc.EventLogServiceServicer):
    """Answers a few calls in a few ways."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.waiting = asyncio.Event()
        self.closed = asyncio.Event()

    async def GetEvents(self, request: Any, context: Any) -> contract.GetEventsResponse:
        """Fail as the request says, or wait."""
        if request.workspace_id == "bad":
            raise errors.InvalidInput("not so", field="x")
        if request.workspace_id == "strange":
            raise ZeroDivisionError("secret")
        self.waiting.set()
        await self.release.wait()
        return contract.GetEventsResponse()

    async def TailEvents(
        self, request: Any, context: Any
    ) -> AsyncIterator[contract.TailEventsResponse]:
        """Answer once, then fail, end or wait without end."""
        try:
            yield contract.TailEventsResponse(through_position=1)
            if request.after_position == 1:
                raise errors.NotFound("gone")
            if request.stop_at_head:
                return
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    def register(self, server: grpc.aio.Server) -> list[str]:
        """Add itself to a server."""
        event_log_service_pb2_grpc.add_EventLogServiceServicer_to_server(self, server)
        return [SERVICE]


async def test_errors_become_statuses_in_calls_and_streams() -> None:
    """Known ones with their words, unknown ones without."""
    handlers = Handlers()
    async with (
        serve("ingest", "127.0.0.1:0", handlers.register, access=Open()) as server,
        open_channel(server.address) as channel,
    ):
        stub = event_log_service_pb2_grpc.EventLogServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError, match="not so"):
            await stub.GetEvents(contract.GetEventsRequest(workspace_id="bad"))
        with pytest.raises(grpc.aio.AioRpcError, match="on our side") as caught:
            await stub.GetEvents(contract.GetEventsRequest(workspace_id="strange"))
        assert caught.value.code() == grpc.StatusCode.INTERNAL
        stream = stub.TailEvents(contract.TailEventsRequest(after_position=1))
        assert (await stream.read()).through_position == 1
        with pytest.raises(grpc.aio.AioRpcError, match="gone") as caught:
            await stream.read()
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        ending = stub.TailEvents(contract.TailEventsRequest(stop_at_head=True))
        assert [answer.through_position async for answer in ending] == [1]


async def test_leaving_finishes_calls_and_ends_streams() -> None:
    """A call in flight gets its answer, a stream UNAVAILABLE, its handler is closed."""
    handlers = Handlers()
    async with serve("ingest", "127.0.0.1:0", handlers.register, access=Open()) as server:
        channel = open_channel(server.address)
        stub = event_log_service_pb2_grpc.EventLogServiceStub(channel)
        stream = stub.TailEvents(contract.TailEventsRequest())
        await stream.read()
        call = asyncio.ensure_future(stub.GetEvents(contract.GetEventsRequest()))
        await handlers.waiting.wait()
        asyncio.get_running_loop().call_later(0.05, handlers.release.set)
    assert await call == contract.GetEventsResponse()
    with pytest.raises(grpc.aio.AioRpcError, match="shutting down") as caught:
        await stream.read()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert handlers.closed.is_set()
    await channel.close()


async def test_a_stream_that_its_caller_leaves_is_closed() -> None:
    """The handler's clean-up runs."""
    handlers = Handlers()
    async with (
        serve("ingest", "127.0.0.1:0", handlers.register, access=Open()) as server,
        open_channel(server.address) as channel,
    ):
        stub = event_log_service_pb2_grpc.EventLogServiceStub(channel)
        stream = stub.TailEvents(contract.TailEventsRequest())
        await stream.read()
        stream.cancel()
        await asyncio.wait_for(handlers.closed.wait(), 5)


async def test_health_follows_readiness() -> None:
    """NOT_SERVING until it is ready, for the server and for each service."""
    handlers = Handlers()
    async with (
        serve("ingest", "127.0.0.1:0", handlers.register, ready=False, access=Open()) as server,
        open_channel(server.address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        for ready, expected in [
            (False, health_pb2.HealthCheckResponse.NOT_SERVING),
            (True, health_pb2.HealthCheckResponse.SERVING),
        ]:
            await server.set_ready(ready)
            for service in ("", SERVICE):
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
                assert answer.status == expected


async def test_a_taken_port_and_a_bad_address_are_told() -> None:
    """Each with the address, before anything is served."""
    handlers = Handlers()
    async with serve("ingest", "127.0.0.1:0", handlers.register, access=Open()) as server:
        with pytest.raises(PortTaken, match="HAIRSPRING_EVALUATOR_LISTEN"):
            async with serve("rule-evaluator", server.address, Handlers().register, access=Open()):
                pass
    for listen in ("localhost", ":80", "127.0.0.1:99999", "203.0.113.7:0"):
        with pytest.raises(BadAddress):
            async with serve("ingest", listen, Handlers().register, access=Open()):
                pass
