"""A clock that a test can set: of one process, while the others' stay right."""

from __future__ import annotations

import os
import struct
from pathlib import Path

_FOLDER = Path(__file__).parent / "wrong_clock"
_WRONG_BY = struct.Struct("<q")


class SettableClock:
    """The clock of a process that is started with `environment`; right until it is set."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.write_bytes(_WRONG_BY.pack(0))

    @property
    def environment(self) -> dict[str, str]:
        """What a Python process is to find in its environment so that it goes by this clock."""
        before = os.environ.get("PYTHONPATH")
        folders = [str(_FOLDER), *([before] if before else [])]
        return {"CHAOS_CLOCK": str(self._path), "PYTHONPATH": os.pathsep.join(folders)}

    def go_wrong(self, seconds: float) -> None:
        """Be ahead by so many seconds from now on, or behind where they are negative."""
        with self._path.open("r+b") as file:  # in place: the process has mapped this very file
            file.write(_WRONG_BY.pack(int(seconds * 1e9)))

    def go_right(self) -> None:
        """Tell the time as it is from now on."""
        self.go_wrong(0)
