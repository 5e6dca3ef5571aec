"""Calls to the other services: a deadline for each, and one error for "not just now"."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import grpc

CALL_SECONDS = 10.0
"""The deadline of a call that changes nothing and may wait for a barrier."""

T = TypeVar("T")

_LASTING = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT})


class Away(Exception):
    """A service does not answer just now; what needs it waits and is tried again."""


class Refused(Exception):
    """A service says that the question cannot be answered, now or later."""


async def answered(service: str, call: Awaitable[T]) -> T:
    """Wait for the answer of a call. Raises Away, or Refused where asking again is no use."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        said = f"{service}: {error.details() or error.code().name}"[:300]
        raise (Refused if error.code() in _LASTING else Away)(said) from error
