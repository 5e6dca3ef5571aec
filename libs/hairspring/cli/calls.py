"""Calls to the services, with the errors that a person can act on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import click
import grpc
import grpc.aio

from hairspring.cli.addresses import Service, Target, find, key_for
from hairspring.runtime.client import open_channel

DEADLINE_SECONDS = 90.0
"""How long a call may take; the services themselves bound what they do more tightly."""

_NEEDS_KEY = {
    grpc.StatusCode.UNAUTHENTICATED: "Commands show the key in HAIRSPRING_KEY, or that of a "
    "running `hairspring up`.",
    grpc.StatusCode.PERMISSION_DENIED: "Set HAIRSPRING_KEY to a key that may, or, where the whole "
    "deployment is concerned, HAIRSPRING_SERVICE_TOKEN to its token.",
}
_STATUS_DETAILS = "grpc-status-details-bin"


class ServiceError(click.ClickException):
    """A service did not answer, or said no; the message says what to do."""

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        super().__init__(message)
        self.code = code


@asynccontextmanager
async def open_service(
    service: Service,
    address: str | None = None,
    *,
    key: str | None = None,
    for_deployment: bool = False,
) -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel to a service, found as `addresses.find` does, that shows a key.

    The key is the given one, else what `addresses.key_for` finds. Errors of calls within the block
    become `ServiceError`.
    """
    target = find(service, address)
    if key is None:
        key = key_for(target, for_deployment=for_deployment)
    async with open_channel(target.address, key) as channel:
        with errors_told(target):
            yield channel


@contextmanager
def errors_told(target: Target) -> Iterator[None]:
    """Turn the errors of calls within the block into `ServiceError`."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _told(error, target) from None


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a command's coroutine; Ctrl-C ends it quietly, with the status that shells expect."""
    try:
        asyncio.run(main)
    except KeyboardInterrupt:
        sys.exit(130)


def _told(error: grpc.aio.AioRpcError, target: Target) -> ServiceError:
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE and not _said_by_service(error):
        return ServiceError(target.unreachable(), code)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServiceError(
            f"What answers at {target.address} does not offer this: name Hairspring's "
            f"{target.service} with --address or {target.variable}.",
            code,
        )
    if code in _NEEDS_KEY:
        return ServiceError(f"{error.details()}\n{_NEEDS_KEY[code]}", code)
    return ServiceError(error.details() or f"{target.address} answered {code.name}.", code)


def _said_by_service(error: grpc.aio.AioRpcError) -> bool:
    """Tell whether the status was written by a service and not by the library on our side."""
    return any(key == _STATUS_DETAILS for key, _ in error.trailing_metadata() or ())
