"""The table from errors to statuses."""

from __future__ import annotations

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hairspring.runtime import errors
from redis.exceptions import BusyLoadingError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInput("x"), grpc.StatusCode.INVALID_ARGUMENT),
        (errors.NotFound("x"), grpc.StatusCode.NOT_FOUND),
        (errors.Conflict("x"), grpc.StatusCode.ABORTED),
        (errors.Exhausted("x"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.Unavailable("x"), grpc.StatusCode.UNAVAILABLE),
        (ConnectionRefusedError(), grpc.StatusCode.UNAVAILABLE),
        (OSError("Multiple exceptions: ..."), grpc.StatusCode.UNAVAILABLE),
        (TimeoutError(), grpc.StatusCode.UNAVAILABLE),
        (asyncpg.CannotConnectNowError("starting up"), grpc.StatusCode.UNAVAILABLE),
        (asyncpg.InterfaceError("connection is closed"), grpc.StatusCode.UNAVAILABLE),
        (BusyLoadingError("loading"), grpc.StatusCode.UNAVAILABLE),
        (PermissionError("no"), grpc.StatusCode.INTERNAL),
        (asyncpg.UndefinedTableError("no"), grpc.StatusCode.INTERNAL),
        (asyncpg.InterfaceError("wrong number of arguments"), grpc.StatusCode.INTERNAL),
        (ValueError("no"), grpc.StatusCode.INTERNAL),
    ],
)
def test_each_error_has_its_status(error: Exception, code: grpc.StatusCode) -> None:
    """What we know is told as it is, outages as UNAVAILABLE, everything else as INTERNAL."""
    assert errors.status_of(error).code == code


def test_a_status_carries_its_reason_and_variables() -> None:
    """The details hold an ErrorInfo."""
    status = errors.status_of(errors.InvalidInput("no such field", field="name"))
    assert status.details == "no such field"
    [(key, value)] = status.trailing_metadata
    assert key == "grpc-status-details-bin"
    info = error_details_pb2.ErrorInfo()
    status_pb2.Status.FromString(value).details[0].Unpack(info)
    assert (info.reason, info.domain) == ("INVALID_INPUT", "hairspring")
    assert dict(info.metadata) == {"field": "name"}


def test_what_nobody_foresaw_is_not_told() -> None:
    """Neither a stranger's words nor the name of a server reach the caller."""
    assert errors.status_of(ValueError("secret")).details == errors.INTERNAL
    assert errors.status_of(ConnectionError("10.0.0.7")).details == errors.AWAY


def test_a_service_can_add_its_own() -> None:
    """More errors extend the table, subclasses included."""

    class Late(KeyError):
        pass

    more = {KeyError: grpc.StatusCode.OUT_OF_RANGE}
    assert errors.status_of(Late("x"), more).code == grpc.StatusCode.OUT_OF_RANGE
