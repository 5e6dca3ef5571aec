"""The clock of the process, as the one type that everything else is handed."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Tells the time in milliseconds since the epoch, UTC."""


def now_ms() -> int:
    """Answer the time of this machine in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
