"""How many events a second may come with each key: a bucket of tokens for each. Pure."""

from dataclasses import dataclass

BURST_SECONDS = 2.0
"""A key that was silent may bring the events of so many seconds at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """How many events may come at once at a time (seconds); below zero there is a debt."""

    level: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a request: the bucket after it, and for how long (ms) to wait, 0 if it may."""

    bucket: Bucket
    wait_ms: int


def take(bucket: Bucket | None, *, now: float, events: int, per_second: int) -> Taken:
    """Take events out of a bucket (None: one that is full), at a time in seconds.

    What comes while it is not empty goes through whole, so that no batch is too large for ever; the
    debt is then waited for.
    """
    most = per_second * BURST_SECONDS
    if bucket is None:
        level = most
    else:
        level = min(most, bucket.level + max(0.0, now - bucket.at) * per_second)
    if level <= 0:
        wait = round(-level / per_second * 1000) + 1
        return Taken(bucket=Bucket(level=level, at=now), wait_ms=wait)
    return Taken(bucket=Bucket(level=level - events, at=now), wait_ms=0)
