"""What happens around every call: errors become statuses, streams end when the server drains."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc

from hairspring.runtime import errors
from hairspring.runtime.logging import get_logger

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]

DRAINING = "the service is shutting down; call again"


class Traffic:
    """Counts the calls in flight, and tells them when the server drains."""

    def __init__(self) -> None:
        self.unary = 0
        self.streams = 0
        self.draining = asyncio.Event()
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Wake whoever waits for calls to end."""
        self._changed.set()

    async def until_unary_done(self) -> None:
        """Wait until no unary call is in flight."""
        while self.unary:
            self._changed.clear()
            await self._changed.wait()

    async def until_streams_done(self) -> None:
        """Wait until no stream is open."""
        while self.streams:
            self._changed.clear()
            await self._changed.wait()


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc, unused-ignore]
    """Wraps every method once, and answers errors by the table of `errors`."""

    def __init__(
        self, traffic: Traffic, more: Mapping[type[BaseException], grpc.StatusCode] | None = None
    ) -> None:
        self._traffic = traffic
        self._more = dict(more or {})
        self._wrapped: dict[str, Any] = {}
        self._log = get_logger()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Answer the wrapped handler of the method."""
        method = str(handler_call_details.method)
        known = self._wrapped.get(method)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        wrapped = self._wrap(method, handler)
        self._wrapped[method] = wrapped
        return wrapped

    def _wrap(self, method: str, handler: Any) -> Any:
        codec = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary:
            call = self._unary(method, handler.unary_unary)
            return grpc.unary_unary_rpc_method_handler(call, **codec)
        if handler.stream_unary:
            call = self._unary(method, handler.stream_unary)
            return grpc.stream_unary_rpc_method_handler(call, **codec)
        if handler.unary_stream:
            call = self._stream(method, handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(call, **codec)
        call = self._stream(method, handler.stream_stream)
        return grpc.stream_stream_rpc_method_handler(call, **codec)

    def _unary(self, method: str, behaviour: Any) -> Any:
        async def call(request: Any, context: Any) -> Any:
            traffic = self._traffic
            traffic.unary += 1
            try:
                return await behaviour(request, context)
            except Exception as error:
                return await self._answer(method, error, context)
            finally:
                traffic.unary -= 1
                traffic.changed()

        return call

    def _stream(self, method: str, behaviour: Any) -> Any:
        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            traffic = self._traffic
            traffic.streams += 1
            answers = behaviour(request, context)
            if not hasattr(answers, "__aiter__"):
                # Health's Watch writes by the context instead of yielding.
                answers = _nothing_yielded(answers)
            try:
                async for answer in _until(traffic.draining, answers):
                    yield answer
                if traffic.draining.is_set():
                    raise errors.Unavailable(DRAINING)
            except Exception as error:
                await self._answer(method, error, context)
            finally:
                traffic.streams -= 1
                traffic.changed()

        return call

    async def _answer(self, method: str, error: Exception, context: Any) -> None:
        """End the call with the status of the error; what nobody foresaw is logged whole."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if errors.code_of(error, self._more) is None:
            self._log.error("call_failed", method=method, exc_info=error)
        elif not isinstance(error, errors.Problem):
            self._log.warning("call_failed", method=method, error=repr(error)[:500])
        status = errors.status_of(error, self._more)
        await context.abort(status.code, status.details, status.trailing_metadata)


async def _nothing_yielded(work: Awaitable[None]) -> AsyncIterator[Any]:
    await work
    return
    yield  # An async generator that gives nothing.


async def _until(ended: asyncio.Event, answers: Any) -> AsyncIterator[Any]:
    """Pass the answers on, and stop at once when the event is set, also between two answers."""
    end = asyncio.create_task(ended.wait(), name="stream-end")
    following: asyncio.Future[Any] | None = None
    try:
        while not ended.is_set():
            following = asyncio.ensure_future(anext(answers))
            await asyncio.wait({end, following}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                answer = following.result()
            except StopAsyncIteration:
                return
            yield answer
    finally:
        end.cancel()
        if following is not None and not following.done():
            following.cancel()
            await asyncio.wait({following})
        if hasattr(answers, "aclose"):
            await answers.aclose()
