"""Moments as people and files write them, and as milliseconds since the epoch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

FIRST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""The earliest moment that can be written: the start of the year 1."""
LAST = (datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""The latest moment that can be written: the end of the year 9999."""

# Numbers from here on are milliseconds, smaller ones are seconds: 1e11 s is the year 5138.
_MILLISECONDS_FROM = 100_000_000_000

# ISO 8601 with a year that datetime cannot hold, such as +058000-01-01T00:00:00Z.
_FAR_YEAR = re.compile(r"(?P<sign>[+-]?)(?P<year>\d{4,9})-\d\d-\d\d(?:[Tt ].*)?\Z", re.DOTALL)


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
    text = value.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _from_far_year(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _bounded((moment - _EPOCH) // _MILLISECOND)


def to_iso(at: int) -> str:
    """Write milliseconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    moment = _EPOCH + timedelta(milliseconds=at)
    # strftime does not fill up years before 1000.
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{moment.microsecond // 1000:03d}Z"


def to_local(at: int) -> str:
    """Write milliseconds since the epoch for people, in the time zone of this machine."""
    if not FIRST + 86_400_000 < at < LAST - 86_400_000:
        return to_iso(at)
    moment = (_EPOCH + timedelta(milliseconds=at)).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


def from_timestamp(timestamp: Timestamp) -> int:
    """Turn a contract's timestamp into milliseconds since the epoch; finer parts are cut off."""
    return timestamp.seconds * 1000 + timestamp.nanos // 1_000_000


def to_timestamp(at: int) -> Timestamp:
    """Turn milliseconds since the epoch into a contract's timestamp."""
    return Timestamp(seconds=at // 1000, nanos=at % 1000 * 1_000_000)


def _from_number(value: float) -> Moment | None:
    if value != value:  # NaN
        return None
    in_milliseconds = abs(value) >= _MILLISECONDS_FROM
    if abs(value) > 1e300:
        return Moment(at=LAST if value > 0 else FIRST, bounded=True)
    return _bounded(int(value // 1) if in_milliseconds else int(value * 1000 // 1))


def _from_far_year(text: str) -> Moment | None:
    match = _FAR_YEAR.match(text)
    if match is None:
        return None
    year = int(match["year"]) * (-1 if match["sign"] == "-" else 1)
    if 1 <= year <= 9999:
        return None
    return Moment(at=LAST if year > 0 else FIRST, bounded=True)


def _bounded(at: int) -> Moment:
    if FIRST <= at <= LAST:
        return Moment(at=at)
    return Moment(at=min(max(at, FIRST), LAST), bounded=True)
