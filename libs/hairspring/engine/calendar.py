"""Dates and zones as traits give them, to milliseconds since the epoch, UTC."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def moment(value: object) -> int | None:
    """Reads an ISO 8601 date or date-time, UTC where it names no zone; None for anything else."""
    return _moment(value) if isinstance(value, str) else None


def day_of(value: object) -> tuple[int, int] | None:
    """The month and day of an ISO 8601 date, or of a date-time as written; None for others."""
    if not isinstance(value, str):
        return None
    read = _read(value)
    return None if read is None else (read.month, read.day)


def is_zone(name: str) -> bool:
    """Tells whether the IANA database, as it is installed here, has a zone of this name."""
    return _zone(name) is not None


def anniversaries(day: tuple[int, int], zone: str, t: int) -> tuple[int, ...]:
    """Local midnights of a month and day in the years around a moment, in order.

    29 February is 28 February in common years. A midnight that a change of the clocks leaves out is
    the moment of that change, and of one that is there twice the first counts.
    """
    year = _year(t)
    years = range(max(year - 2, 2), min(year + 2, 9998) + 1)
    return tuple(_midnight(each, day, zone) for each in years)


@lru_cache(maxsize=65_536)
def _midnight(year: int, day: tuple[int, int], zone: str) -> int:
    month, number = day
    if day == (2, 29) and not _is_leap(year):
        number = 28
    local = datetime.combine(date(year, month, number), time(), _zone(zone) or UTC)
    return _milliseconds(local)


@lru_cache(maxsize=65_536)
def _moment(text: str) -> int | None:
    read = _read(text)
    if read is None:
        return None
    return _milliseconds(read if read.tzinfo is not None else read.replace(tzinfo=UTC))


@lru_cache(maxsize=65_536)
def _read(text: str) -> datetime | None:
    if len(text) < 8 or len(text) > 40:
        return None
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


@lru_cache(maxsize=1_024)
def _zone(name: str) -> ZoneInfo | None:
    if not name or len(name) > 64 or not name.isascii():
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # no such zone, or a name that is no file of one
        return None


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _year(t: int) -> int:
    try:
        return (_EPOCH + timedelta(milliseconds=t)).year
    except OverflowError:
        return 1 if t < 0 else 9999


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
