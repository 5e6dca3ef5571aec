"""Moments as people, files and senders write them, to milliseconds since the epoch (UTC)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hairspring.wire.times import EARLIEST_MS, LATEST_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# Numbers from here on are milliseconds, smaller ones are seconds: 1e11 s is the year 5138.
_MILLISECONDS_FROM = 100_000_000_000

# ISO 8601 with a year that datetime cannot hold, such as +058000-01-01T00:00:00Z.
_FAR_YEAR = re.compile(r"(?P<sign>[+-]?)(?P<year>\d{4,9})-\d\d-\d\d(?:[T ].*)?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment that was read: milliseconds since the epoch, and whether it had to be bounded."""

    at: int
    bounded: bool = False


def parse(value: object) -> Moment | None:
    """Read ISO 8601 (UTC where it names no zone) or a number of seconds or milliseconds.

    What is finer than a millisecond is cut off, years outside 1 to 9999 are bounded; None where
    it is not readable.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_number(value)
    if not isinstance(value, str):
        return None
    text = value.strip().upper()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _from_far_year(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _bounded((moment - _EPOCH) // _MILLISECOND)


def _from_number(value: float) -> Moment | None:
    if value != value:  # NaN
        return None
    in_milliseconds = abs(value) >= _MILLISECONDS_FROM
    if abs(value) > 1e300:
        return Moment(at=LATEST_MS if value > 0 else EARLIEST_MS, bounded=True)
    return _bounded(int(value // 1) if in_milliseconds else int(value * 1000 // 1))


def _from_far_year(text: str) -> Moment | None:
    match = _FAR_YEAR.match(text)
    if match is None:
        return None
    year = int(match["year"]) * (-1 if match["sign"] == "-" else 1)
    if 1 <= year <= 9999:
        return None
    return Moment(at=LATEST_MS if year > 0 else EARLIEST_MS, bounded=True)


def _bounded(at: int) -> Moment:
    if EARLIEST_MS <= at <= LATEST_MS:
        return Moment(at=at)
    return Moment(at=min(max(at, EARLIEST_MS), LATEST_MS), bounded=True)
