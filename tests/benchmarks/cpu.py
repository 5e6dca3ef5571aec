"""What processes have taken of the cores, as the kernel counts it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def seconds(pid: int) -> float:
    """The time that a process has taken, with its children that ended and were waited for."""
    fields = _fields(pid)
    return sum(int(field) for field in fields[11:15]) / _TICK


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                if int(_fields(int(entry.name))[1]) == pid:
                    found.append(int(entry.name))
    return found


def megabytes(pid: int) -> float:
    """The memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1024**2


def of_postgres(postmaster: int, names: Mapping[int, str]) -> Counter[str]:
    """The seconds of a server's processes, summed by the name of each; `""` for what has none.

    What has ended counts as the postmaster's own.
    """
    found = Counter({"": seconds(postmaster)})
    for child in children(postmaster):
        with suppress(FileNotFoundError, ProcessLookupError):
            found[names.get(child, "")] += seconds(child)
    return found


def _fields(pid: int) -> list[str]:
    """The fields of stat behind the name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
