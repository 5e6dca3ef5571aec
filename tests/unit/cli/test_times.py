"""Moments as people and files write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hairspring.cli import times
from hairspring.wire.times import EARLIEST_MS, LATEST_MS, from_ms, iso, to_ms

AT = int(datetime(2022, 7, 31, 22, 0, 0, 25_000, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    "written",
    [
        "2022-07-31T22:00:00.025Z",
        "2022-07-31t22:00:00.025z",
        "2022-07-31T22:00:00.025999999Z",
        "2022-07-31 22:00:00.025",
        "2022-07-31T22:00:00,025Z",
        "2022-08-01T03:30:00.025+05:30",
        "2022-07-31T17:00:00.025-0500",
        " 2022-07-31T22:00:00.025Z ",
        AT,
        AT / 1000,
    ],
)
def test_forms_of_one_moment(written: object) -> None:
    """Every usual form is read as the same millisecond; what names no zone is UTC."""
    assert times.parse(written) == times.Moment(at=AT)


def test_a_date_is_its_first_moment() -> None:
    """A date alone is midnight in UTC."""
    moment = times.parse("2022-07-31")
    assert moment is not None
    assert iso(moment.at) == "2022-07-31T00:00:00.000Z"


@pytest.mark.parametrize(
    "written",
    [
        *["", "NOW", "safaff", "202205-13T12:51:01.470Z", "2022-13-01T00:00:00Z"],
        *["2022-07-31T25:00:00Z", None, True, [], {}, float("nan")],
    ],
)
def test_what_is_no_moment(written: object) -> None:
    """What cannot be read as a time is told apart, and raises nothing."""
    assert times.parse(written) is None


@pytest.mark.parametrize(
    ("written", "bound"),
    [
        ("+058000-01-01T00:00:00Z", LATEST_MS),
        ("58000-01-01T00:00:00Z", LATEST_MS),
        ("0000-01-01T00:00:00Z", EARLIEST_MS),
        ("-0044-03-15T12:00:00Z", EARLIEST_MS),
        ("0001-01-01T00:00:00+05:00", EARLIEST_MS),
        ("9999-12-31T23:59:59.999-05:00", LATEST_MS),
        (1_768_000_000_000_000, LATEST_MS),
        (float("inf"), LATEST_MS),
        (float("-inf"), EARLIEST_MS),
        (-(10**30), EARLIEST_MS),
    ],
)
def test_far_years_are_bounded(written: object, bound: int) -> None:
    """A year that a contract cannot hold becomes the nearest that it can, and is told."""
    assert times.parse(written) == times.Moment(at=bound, bounded=True)


@pytest.mark.parametrize("at", [EARLIEST_MS, -1, 0, 1, AT, LATEST_MS])
def test_written_and_read_again(at: int) -> None:
    """Writing a moment and reading it again gives the same moment."""
    assert times.parse(iso(at)) == times.Moment(at=at)
    assert to_ms(from_ms(at)) == at
