"""The errors a caller may see, and the one table that maps them to gRPC statuses.

An error that the table does not know is logged whole and answered as INTERNAL, "something went
wrong on our side". Each status carries a google.rpc.ErrorInfo with the reason and its variables.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

DOMAIN = "hairspring"
INTERNAL = "something went wrong on our side"
LONGEST_MESSAGE = 2_000
MOST_DETAIL_BYTES = 3_500
"""How much is said of fields; clients take answers with 8 kB of status in all, as text."""
AWAY = "a server that is needed does not answer just now; try again"


class StartFailed(Exception):
    """The process cannot start, and a person can mend it: told in one line, exit code 1."""


class Problem(Exception):
    """An error that its caller is told in full."""

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


class InvalidInput(Problem):
    """The request can never succeed as it is.

    `violations` are what is wrong with which field of it, as (path, what is wrong).
    """

    def __init__(
        self, message: str, *, violations: Sequence[tuple[str, str]] = (), **metadata: str
    ) -> None:
        super().__init__(message, **metadata)
        self.violations = tuple(violations)


class NotFound(Problem):
    """What the request names does not exist."""


class AlreadyExists(Problem):
    """What the request would make is there, and is something else."""


class Conflict(Problem):
    """The request does not fit what stands now."""


class NotNow(Problem):
    """The request does not fit how things stand, and trying again does not help."""


class Unauthenticated(Problem):
    """Nothing says who calls, or what says so is good for nothing."""


class Forbidden(Problem):
    """Whoever calls may not do this."""


class Exhausted(Problem):
    """There is too much of it: wait and try again, after `retry_ms` where that is known."""

    def __init__(self, message: str, *, retry_ms: int = 0, **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.retry_ms = retry_ms


class Unavailable(Problem):
    """It cannot be done just now: try again."""


TABLE: dict[type[BaseException], grpc.StatusCode] = {
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    Conflict: grpc.StatusCode.ABORTED,
    NotNow: grpc.StatusCode.FAILED_PRECONDITION,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}

OUTAGES: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)
"""What says that a server we need is away, or for the moment unable."""


def is_outage(error: BaseException) -> bool:
    """Tell whether an error means that a server we need is away, so that trying again may help."""
    if isinstance(error, OUTAGES):
        return True
    # asyncpg says "connection is closed", "pool is closing" and the like by InterfaceError.
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error)
    # asyncio says that none of several addresses answered by an OSError that is nothing more.
    return type(error) is OSError or _is_redis_outage(error)


def may_be_mistake(error: BaseException) -> bool:
    """Tell whether an error may be a mistake in the code or in what it works on.

    It is none where a caller, a server or another service is to blame.
    """
    others = (asyncpg.PostgresError, asyncpg.InterfaceError, grpc.RpcError, OSError, MemoryError)
    return not isinstance(error, (Problem, *others)) and not is_outage(error)


def _is_redis_outage(error: BaseException) -> bool:
    """Tell whether the client of Redis lost its server; without importing it where it is unused."""
    return any(
        kind.__module__ == "redis.exceptions"
        and kind.__name__ in ("ConnectionError", "TimeoutError")
        for kind in type(error).__mro__
    )


def code_of(
    error: BaseException, more: Mapping[type[BaseException], grpc.StatusCode] | None = None
) -> grpc.StatusCode | None:
    """Answer the status of an error, or None for one that the caller must not be told."""
    for kind in type(error).__mro__:
        code = (more or {}).get(kind) or TABLE.get(kind)
        if code is not None:
            return code
    return grpc.StatusCode.UNAVAILABLE if is_outage(error) else None


def status_of(
    error: BaseException, more: Mapping[type[BaseException], grpc.StatusCode] | None = None
) -> grpc.Status:
    """Translate an error to the status its caller gets, with an ErrorInfo in the details."""
    code = code_of(error, more)
    if code is None:
        return make_status(grpc.StatusCode.INTERNAL, INTERNAL, "Internal")
    if isinstance(error, Problem):
        violations = error.violations if isinstance(error, InvalidInput) else ()
        name = type(error).__name__
        retry_ms = error.retry_ms if isinstance(error, Exhausted) else 0
        return make_status(code, error.message, name, error.metadata, violations, retry_ms)
    known = any(kind in (more or {}) for kind in type(error).__mro__)
    if known:
        return make_status(code, str(error), type(error).__name__)
    return make_status(code, AWAY, Unavailable.__name__)


def make_status(
    code: grpc.StatusCode,
    message: str,
    name: str,
    metadata: Mapping[str, str] | None = None,
    violations: Sequence[tuple[str, str]] = (),
    retry_ms: int = 0,
) -> grpc.Status:
    """Build a rich status; the reason is the error's name in upper case with underscores.

    With `retry_ms`, a RetryInfo tells after how many milliseconds to try again.
    """
    reason = "".join("_" + c if c.isupper() else c.upper() for c in name).lstrip("_")
    details: list[Any] = [
        error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata or {})
    ]
    if violations:
        details.append(_bad_request(violations))
    if retry_ms:
        details.append(error_details_pb2.RetryInfo())
        details[-1].retry_delay.FromMilliseconds(retry_ms)
    number = code_pb2.Code.Value("CANCELLED" if code.name == "CANCELED" else code.name)
    status = status_pb2.Status(code=number, message=message[:LONGEST_MESSAGE])
    for detail in details:
        status.details.add().Pack(detail)
    return rpc_status.to_status(status)


def _bad_request(violations: Sequence[tuple[str, str]]) -> error_details_pb2.BadRequest:
    """As many violations as a client takes in one answer, and how many more there are."""
    found = error_details_pb2.BadRequest()
    for number, (path, description) in enumerate(violations):
        if found.ByteSize() + len(path.encode()) + len(description.encode()) > MOST_DETAIL_BYTES:
            left = len(violations) - number
            found.field_violations.add(description=f"and {left:,} more; mend these first")
            break
        found.field_violations.add(field=path, description=description)
    return found
