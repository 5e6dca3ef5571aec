"""A gRPC channel without a network: from one process to a servicer in another, on the wire."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import grpc
from hairspring.runtime.errors import code_of
from hairspring.services.rule_evaluator.app import ERRORS

from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.wire import Wire

#: How often a caller that waits for a peer looks for one.
LOOK_SECONDS = 0.05


def _error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, nothing, nothing, details=details)


def _away() -> grpc.aio.AioRpcError:
    return _error(grpc.StatusCode.UNAVAILABLE, "the connection broke")


class Peer:
    """A process that serves; when it is killed, everybody who talks to it notices."""

    def __init__(self, process: Process, servicer: Any) -> None:
        self.process = process
        self.servicer = servicer
        self.open: dict[Callable[[Exception], None], None] = {}

    def break_connections(self) -> None:
        """End all calls."""
        for fail in list(self.open):
            fail(_away())
        self.open.clear()


class Context:
    """What a servicer is told of a call."""

    def __init__(
        self, loop: VirtualLoop, metadata: Sequence[tuple[str, str]], timeout: float | None
    ) -> None:
        self._loop = loop
        self._metadata = metadata
        self._until = None if timeout is None else loop.time() + timeout

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        """Answer what was sent beside the request."""
        return self._metadata

    def time_remaining(self) -> float | None:
        """Answer how many seconds are left for an answer; None for as many as it takes."""
        return None if self._until is None else max(self._until - self._loop.time(), 0.0)


class Channel:
    """What a stub calls by; each call goes to one of the peers that are there."""

    def __init__(self, wire: Wire, peers: Callable[[], list[Peer]]) -> None:
        self._wire = wire
        self._peers = peers
        self._serving: dict[asyncio.Task[Any], None] = {}

    def hang_up(self) -> None:
        """Have the servers notice that the caller is gone."""
        for serving in list(self._serving):
            _cancel_later(self._wire, serving)

    def unary_unary(self, path: str, **_: Any) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Make the caller of a method with one answer."""
        name = path.rpartition("/")[2]

        async def call(
            request: Any,
            timeout: float | None = None,
            wait_for_ready: bool = False,
            metadata: Sequence[tuple[str, str]] = (),
        ) -> Any:
            context = Context(self._wire.loop, metadata, timeout)
            sent = type(request).FromString(request.SerializeToString())
            try:
                async with asyncio.timeout(timeout):
                    while wait_for_ready and not self._peers():  # noqa: ASYNC110
                        await asyncio.sleep(LOOK_SECONDS)
                    return await self._call(name, sent, context)
            except TimeoutError:
                raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, "it took too long") from None

        return call

    def unary_stream(self, path: str, **_: Any) -> Callable[..., Reading]:
        """Make the caller of a method with a stream of answers."""
        name = path.rpartition("/")[2]

        def call(request: Any) -> Reading:
            return Reading(self, name, request)

        return call

    def stream_stream(self, path: str, **_: Any) -> Callable[..., Any]:
        """Nobody in this world sends a stream; a stub needs it to be there."""

        def call(*_: object, **__: object) -> Any:
            raise NotImplementedError(f"the simulated world has no streams of requests yet: {path}")

        return call

    async def _call(self, name: str, request: Any, context: Context) -> Any:
        wire, peer = self._wire, self._choose()
        answer: asyncio.Future[Any] = wire.loop.create_future()

        def fail(error: Exception) -> None:
            if not answer.done():
                answer.set_exception(error)

        async def serve() -> None:
            await asyncio.sleep(wire.delay())
            try:
                if wire.chance.random() < wire.weather.lost:
                    raise _away()
                result = await getattr(peer.servicer, name)(request, context)
                await asyncio.sleep(wire.delay())
            except Exception as error:
                fail(_translated(error))
            else:
                if not answer.done():
                    answer.set_result(result)

        peer.open[fail] = None
        serving = self._spawn(peer, serve(), name)
        try:
            return await answer
        finally:
            peer.open.pop(fail, None)
            _cancel_later(wire, serving)

    def open_stream(self, name: str, request: Any) -> tuple[_Stream, Callable[[], None]]:
        """Begin a call with a stream of answers; also answers what ends it."""
        wire, peer = self._wire, self._choose()
        stream = _Stream(wire.loop)

        async def serve() -> None:
            await asyncio.sleep(wire.delay())
            try:
                async for answer in getattr(peer.servicer, name)(request, None):
                    await asyncio.sleep(wire.delay())
                    stream.put(answer)
                    if wire.chance.random() < wire.weather.broken:
                        stream.lose_some(wire.chance.random())
                        raise _away()
            except Exception as error:
                stream.fail(_translated(error))

        peer.open[stream.fail] = None
        serving = self._spawn(peer, serve(), name)

        def end() -> None:
            peer.open.pop(stream.fail, None)
            _cancel_later(wire, serving)

        return stream, end

    def _spawn(self, peer: Peer, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        serving = self._wire.loop.spawn(peer.process, work, name)
        self._serving[serving] = None
        serving.add_done_callback(self._serving.pop, context=self._wire.context)
        return serving

    def _choose(self) -> Peer:
        peers = self._peers()
        if not peers:
            raise _away()
        return peers[int(self._wire.chance.random() * len(peers))]


class Reading:
    """A call whose answers are read one by one; it begins with the first."""

    def __init__(self, channel: Channel, name: str, request: Any) -> None:
        self._begin = lambda: channel.open_stream(name, request)
        self._opened: tuple[_Stream, Callable[[], None]] | None = None

    async def read(self) -> Any:
        """Wait for the next answer; raises AioRpcError when the stream has broken off."""
        if self._opened is None:
            self._opened = self._begin()
        return await self._opened[0].get()

    def cancel(self) -> None:
        """End the call."""
        if self._opened is not None:
            self._opened[1]()

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            while True:
                yield await self.read()
        finally:
            self.cancel()


class _Stream:
    """Answers on their way, and how it ended."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._answers: deque[Any] = deque()
        self._some = asyncio.Event()
        self._error: Exception | None = None

    def put(self, answer: Any) -> None:
        if self._error is None:
            self._answers.append(answer)
            self._some.set()

    def lose_some(self, draw: float) -> None:
        """Lose the last answers that the reader has not had."""
        for _ in range(int(draw * (len(self._answers) + 1))):
            self._answers.pop()

    def fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            self._some.set()

    async def get(self) -> Any:
        while not self._answers:
            if self._error is not None:
                raise self._error
            self._some.clear()
            await self._some.wait()
        return self._answers.popleft()


def _cancel_later(wire: Wire, serving: asyncio.Task[Any]) -> None:
    """Let the server notice that its caller has gone."""
    if not serving.done():
        wire.loop.call_later(wire.delay(), serving.cancel, context=wire.context)


def _translated(error: Exception) -> grpc.aio.AioRpcError:
    """Answer what the caller is told, as by the interceptors of a server."""
    code = code_of(error) or next(
        (ERRORS[kind] for kind in ERRORS if isinstance(error, kind)), None
    )
    return _error(code or grpc.StatusCode.INTERNAL, repr(error))
