"""The delay queue: timers by shard, claimed when due, under leases; see README.md."""

from hairspring.timers.port import (
    LATEST_DUE,
    LONGEST_LEASE_MS,
    Claimed,
    Claims,
    DelayQueue,
    Fenced,
    Outcome,
    QueueError,
    QueueLost,
    QueueUnavailable,
    Timer,
)

__all__ = [
    "LATEST_DUE",
    "LONGEST_LEASE_MS",
    "Claimed",
    "Claims",
    "DelayQueue",
    "Fenced",
    "Outcome",
    "QueueError",
    "QueueLost",
    "QueueUnavailable",
    "Timer",
]
