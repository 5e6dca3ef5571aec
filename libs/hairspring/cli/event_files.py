"""Reads files of JSON lines: plain or gzip, or the standard input, with bounded lines."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

LONGEST_LINE = 8 * 1024 * 1024
_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class EventFile:
    """A file of JSON lines that is read once from its start; use it in a `with` block.

    Opening raises `ClickException` where the file cannot be read, and so does iterating where a
    compressed file is broken off. `size` is in bytes on disk, 0 where it is not known.
    """

    def __init__(self, place: str) -> None:
        self.name = "standard input" if place == "-" else place
        self._raw = _open(place)
        self.size = 0 if place == "-" else _size(self._raw)
        self._counted = _Counted(self._raw)
        buffered = io.BufferedReader(self._counted, 256 * 1024)
        self._lines: io.BufferedIOBase = buffered
        self.is_compressed = buffered.peek(2)[:2] == _MAGIC
        if self.is_compressed:
            self._lines = gzip.GzipFile(fileobj=buffered)

    @property
    def bytes_read(self) -> int:
        """How much of the file has been read, in bytes on disk."""
        return self._counted.count

    def __enter__(self) -> EventFile:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file; the standard input stays open."""
        self._raw.close()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Give each line that is not blank, with its number from 1; an overlong one is cut."""
        number = 0
        try:
            while line := self._lines.readline(LONGEST_LINE):
                number += 1
                if number == 1:
                    line = line.removeprefix(_BOM)
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    self._skip_rest_of_line()
                if line.strip():
                    yield number, line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise click.ClickException(
                f"{self.name} is damaged or broken off after line {number}: {error}"
            ) from error

    def _skip_rest_of_line(self) -> None:
        while rest := self._lines.readline(LONGEST_LINE):
            if rest.endswith(b"\n"):
                return


class _Counted(io.RawIOBase):
    """Passes a stream on and counts the bytes."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        # read1 answers what is there, so that a pipe that pauses does not hold lines back.
        read = getattr(self._raw, "read1", self._raw.read)
        content = read(len(view))
        view[: len(content)] = content
        self.count += len(content)
        return len(content)


def _open(place: str) -> IO[bytes]:
    if place == "-":
        # Not `sys.stdin`: Python waits for that at its end, while a thread still reads from it.
        return io.FileIO(0, closefd=False)
    path = Path(place)
    if path.is_dir():
        raise click.ClickException(f"{place} is a directory: name a file of JSON lines.")
    try:
        return path.open("rb")
    except OSError as error:
        raise click.ClickException(f"{place} cannot be read: {error.strerror}.") from error


def _size(file: IO[bytes]) -> int:
    end = file.seek(0, io.SEEK_END) if file.seekable() else 0
    if end:
        file.seek(0)
    return end
