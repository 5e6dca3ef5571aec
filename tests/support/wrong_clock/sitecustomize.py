"""Gives a process a wrong clock: found by Python at its start where this folder is on its path.

The file that CHAOS_CLOCK names holds eight bytes, by how many nanoseconds the clock is wrong, and
may be written at any time. The process is the real one; only `time.time` and `time.time_ns` differ,
which is where the services have the time of day from. Steady clocks are left alone, as a machine's
are when its time of day is set.
"""

import mmap
import os
import struct
import time

PLACE = "CHAOS_CLOCK"


def _go_wrong(path: str) -> None:
    with open(path, "rb") as file:
        wrong_by = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    read, true_ns = struct.Struct("<q").unpack_from, time.time_ns

    def time_ns() -> int:
        """Answer the time in nanoseconds, as wrong as the file says."""
        return true_ns() + read(wrong_by)[0]

    def in_seconds() -> float:
        """Answer the time in seconds, as wrong as the file says."""
        return time_ns() / 1e9

    time.time_ns, time.time = time_ns, in_seconds


if os.environ.get(PLACE):
    _go_wrong(os.environ[PLACE])
