"""Moments as people write and read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hairspring.wire.moments import Moment, parse
from hairspring.wire.times import EARLIEST_MS, LATEST_MS, iso

__all__ = ["Moment", "parse", "to_local"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_local(at: int) -> str:
    """Write milliseconds since the epoch for people, in the time zone of this machine."""
    if not EARLIEST_MS + 86_400_000 < at < LATEST_MS - 86_400_000:
        return iso(at)
    moment = (_EPOCH + timedelta(milliseconds=at)).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
