"""What happens around every call: who may make it, errors to statuses, an end when we drain."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc

from hairspring.runtime import errors, scopes
from hairspring.runtime.access import FRESH_SECONDS, Access
from hairspring.runtime.keys import Caller, Scope, bearer
from hairspring.runtime.limits import Limits
from hairspring.runtime.logging import get_logger

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]

DRAINING = "the service is shutting down; call again"
REVOKED = "the key that this stream was opened with was revoked; open it with another"


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
    """Wraps every method once: lets in who may, and answers errors by the table of `errors`."""

    def __init__(
        self,
        traffic: Traffic,
        more: Mapping[type[BaseException], grpc.StatusCode] | None = None,
        *,
        access: Access,
        scopes_by_path: Mapping[str, Scope],
        limits: Limits | None = None,
    ) -> None:
        self._traffic = traffic
        self._more = dict(more or {})
        self._access = access
        self._scopes = scopes_by_path
        self._limits = limits or Limits()
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
        enter = self._entrance(method)

        async def call(request: Any, context: Any) -> Any:
            traffic = self._traffic
            traffic.unary += 1
            try:
                _, request = await enter(request, context)
                return await behaviour(request, context)
            except Exception as error:
                return await self._answer(method, error, context)
            finally:
                traffic.unary -= 1
                traffic.changed()

        return call

    def _stream(self, method: str, behaviour: Any) -> Any:
        enter = self._entrance(method)

        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            traffic = self._traffic
            traffic.streams += 1
            try:
                caller, request = await enter(request, context)
                answers = behaviour(request, context)
                if not hasattr(answers, "__aiter__"):
                    # Health's Watch writes by the context instead of yielding.
                    answers = _nothing_yielded(answers)
                async with self._watched(caller, context) as shut_out:
                    async for answer in _until([traffic.draining, shut_out], answers):
                        yield answer
                    if shut_out.is_set():
                        raise errors.Unauthenticated(REVOKED)
                if traffic.draining.is_set():
                    raise errors.Unavailable(DRAINING)
            except Exception as error:
                await self._answer(method, error, context)
            finally:
                traffic.streams -= 1
                traffic.changed()

        return call

    def _entrance(self, method: str) -> Callable[[Any, Any], Awaitable[tuple[Any, Any]]]:
        """Make what a call of a method passes first: it answers who calls, and the request.

        Raises Unauthenticated, Forbidden, Exhausted or Unavailable.
        """
        if scopes.is_open(method):
            return _let_in
        scope = self._scopes[method]

        async def enter(request: Any, context: Any) -> tuple[Caller, Any]:
            caller = await self._access.caller_of(_token(context))
            scopes.check(caller, scope)
            if hasattr(request, "__aiter__"):
                return caller, self._admitted(caller, scope, request)
            self._admit(caller, scope, request)
            return caller, request

        return enter

    def _admit(self, caller: Caller, scope: Scope, request: Any) -> None:
        scopes.settle(caller, request)
        if scope is Scope.WRITE:
            self._limits.take(caller, scopes.events_in(request))

    async def _admitted(
        self, caller: Caller, scope: Scope, requests: AsyncIterator[Any]
    ) -> AsyncIterator[Any]:
        """Admit each request of a stream; who brings more than she may is held up."""
        async for request in requests:
            while True:
                try:
                    self._admit(caller, scope, request)
                    break
                except errors.Exhausted as error:
                    await asyncio.sleep(error.retry_ms / 1000)
            yield request

    @contextlib.asynccontextmanager
    async def _watched(self, caller: Caller | None, context: Any) -> AsyncIterator[asyncio.Event]:
        """Give what is set once the key that a stream was opened with opens nothing any more."""
        shut_out = asyncio.Event()
        if caller is None or caller.workspace is None:
            yield shut_out
            return

        async def watch() -> None:
            while not shut_out.is_set():
                await asyncio.sleep(FRESH_SECONDS)
                try:
                    await self._access.caller_of(_token(context))
                except errors.Unauthenticated:
                    shut_out.set()
                except errors.Problem:
                    continue

        watching = asyncio.create_task(watch(), name="stream-key")
        try:
            yield shut_out
        finally:
            watching.cancel()

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


async def _let_in(request: Any, context: Any) -> tuple[None, Any]:
    return None, request


def _token(context: Any) -> str:
    """Answer the token that a call bears, empty where there is none."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and isinstance(value, str):
            return bearer(value)
    return ""


async def _nothing_yielded(work: Awaitable[None]) -> AsyncIterator[Any]:
    await work
    return
    yield  # An async generator that gives nothing.


async def _until(ends: Sequence[asyncio.Event], answers: Any) -> AsyncIterator[Any]:
    """Pass the answers on, and stop at once when an event is set, also between two answers."""
    ending = [asyncio.create_task(end.wait(), name="stream-end") for end in ends]
    following: asyncio.Future[Any] | None = None
    try:
        while not any(end.is_set() for end in ends):
            following = asyncio.ensure_future(anext(answers))
            await asyncio.wait({*ending, following}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                answer = following.result()
            except StopAsyncIteration:
                return
            yield answer
    finally:
        for end_task in ending:
            end_task.cancel()
        if following is not None and not following.done():
            following.cancel()
            await asyncio.wait({following})
        if hasattr(answers, "aclose"):
            await answers.aclose()
