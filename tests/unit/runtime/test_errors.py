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
        (errors.AlreadyExists("x"), grpc.StatusCode.ALREADY_EXISTS),
        (errors.Conflict("x"), grpc.StatusCode.ABORTED),
        (errors.NotNow("x"), grpc.StatusCode.FAILED_PRECONDITION),
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


def violations_of(error: errors.InvalidInput) -> list[tuple[str, str]]:
    """The fields of the BadRequest in a status, and what is said of them."""
    [(_, value)] = errors.status_of(error).trailing_metadata
    found = error_details_pb2.BadRequest()
    [detail] = [d for d in status_pb2.Status.FromString(value).details if d.Is(found.DESCRIPTOR)]
    detail.Unpack(found)
    return [(violation.field, violation.description) for violation in found.field_violations]


def test_what_is_wrong_with_fields_is_told_by_field() -> None:
    """Each violation has its path, in the order in which they were found."""
    told = [("enter.all[0]", "no"), ("stay", "neither")]

    assert violations_of(errors.InvalidInput("two things", violations=told)) == told


def test_no_more_is_said_of_fields_than_a_client_takes() -> None:
    """The status stays well below 8 kB as text; the last violation counts what is left out."""
    many = [(f"enter.any[{number}]", "wrong é" * 10) for number in range(500)]
    error = errors.InvalidInput("many things", violations=many)

    told = violations_of(error)

    [(_, value)] = errors.status_of(error).trailing_metadata
    assert len(value) * 4 / 3 < 6_000
    assert told[:-1] == many[: len(told) - 1]
    assert told[-1] == ("", f"and {len(many) - len(told) + 1} more; mend these first")


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
