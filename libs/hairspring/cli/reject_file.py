"""Keeps the lines that were not taken: the first told at once, all written to a file."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import IO

import click
import orjson

from hairspring.cli.output import say

_TOLD = 10


class RejectFile:
    """Collects lines that were not taken; use it in a `with` block.

    The file is begun with the first of them. One that a former run left is removed, so that what
    stands there is always of the last run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> RejectFile:
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, number: int, problem: str, line: bytes) -> None:
        """Keep one line; raises `ClickException` where the file cannot be written."""
        self.count += 1
        if self.count <= _TOLD:
            say(f"line {number}: {problem}")
        elif self.count == _TOLD + 1:
            say(f"more lines were not taken: see {self.path}")
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        row = {"line": number, "problem": problem, "text": text}
        self._opened().write(orjson.dumps(row) + b"\n")

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            try:
                self._file = self.path.open("wb")
            except OSError as error:
                raise click.ClickException(
                    f"{self.path} cannot be written: {error.strerror}. It would hold the lines "
                    "that were not taken; name another with --rejects."
                ) from error
        return self._file
