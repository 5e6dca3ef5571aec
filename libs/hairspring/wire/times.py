"""Milliseconds since the epoch (UTC) to and from Timestamps.

What is finer than a millisecond is cut off; what a Timestamp cannot hold (years 1 to 9999) becomes
the nearest that it can.
"""

from datetime import datetime, timedelta

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

DAY_MS = 86_400_000

_EPOCH = datetime(1970, 1, 1)

EARLIEST_MS = -62_135_596_800_000
"""The year 1, the first moment that a Timestamp can hold."""

LATEST_MS = 253_402_300_799_999
"""The end of the year 9999, the last moment that a Timestamp can hold."""


def to_ms(timestamp: Timestamp) -> int:
    """Answer the milliseconds of a Timestamp, also of one with fields out of their range."""
    nanos = timestamp.nanos
    if not 0 <= nanos <= 999_999_999:
        nanos = min(max(nanos, 0), 999_999_999)
    ms = timestamp.seconds * 1000 + nanos // 1_000_000
    return ms if EARLIEST_MS <= ms <= LATEST_MS else min(max(ms, EARLIEST_MS), LATEST_MS)


def from_ms(ms: int) -> Timestamp:
    """Answer the Timestamp of a moment."""
    timestamp = Timestamp()
    set_ms(timestamp, ms)
    return timestamp


def set_ms(timestamp: Timestamp, ms: int) -> None:
    """Set a Timestamp to a moment; also one that was unset, and to the epoch itself."""
    if not EARLIEST_MS <= ms <= LATEST_MS:
        ms = min(max(ms, EARLIEST_MS), LATEST_MS)
    timestamp.seconds = ms // 1000
    timestamp.nanos = ms % 1000 * 1_000_000
    if ms == 0:  # fields that are set to zero do not set their message
        timestamp.SetInParent()


def ms_of(message: Message, field: str) -> int | None:
    """Answer the milliseconds of a Timestamp field, or None where it is not set."""
    return to_ms(getattr(message, field)) if message.HasField(field) else None


def iso(ms: int) -> str:
    """Write a moment as ISO 8601 in UTC with milliseconds: 2022-07-31T23:00:00.025Z."""
    seconds, rest = divmod(min(max(ms, EARLIEST_MS), LATEST_MS), 1000)
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment.isoformat()}.{rest:03d}Z"
