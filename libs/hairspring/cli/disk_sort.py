"""Sorts more than fits in memory: sorted runs in a temporary file, merged when they are read."""

from __future__ import annotations

import heapq
import marshal
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any

Key = tuple[Any, ...]

_IN_MEMORY_BYTES = 64 * 1024 * 1024
_OVERHEAD = 200
_BLOCK = 1_000


class DiskSort:
    """Takes (key, content) pairs in any order and gives them back by key; use it in a `with` block.

    Keys are tuples of texts and numbers, all of one shape; pairs of equal keys keep their order.
    Up to some 64 MB are kept in memory, the rest on disk.
    """

    def __init__(self, in_memory_bytes: int = _IN_MEMORY_BYTES) -> None:
        self._room = in_memory_bytes
        self._used = 0
        self._count = 0
        self._pairs: list[tuple[Key, int, bytes]] = []
        self._runs: list[IO[bytes]] = []

    def __enter__(self) -> DiskSort:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary files."""
        for run in self._runs:
            run.close()

    def add(self, key: Key, content: bytes) -> None:
        """Take one pair."""
        self._count += 1
        self._pairs.append((key, self._count, content))
        self._used += len(content) + _OVERHEAD
        if self._used > self._room:
            self._write_run()

    def __iter__(self) -> Iterator[tuple[Key, bytes]]:
        """Give all pairs by key. Nothing may be added after that."""
        self._pairs.sort()
        runs = [_read_run(run) for run in self._runs]
        for key, _, content in heapq.merge(*runs, self._pairs):
            yield key, content

    def _write_run(self) -> None:
        self._pairs.sort()
        run = tempfile.TemporaryFile(prefix="hairspring-sort-")  # noqa: SIM115 - closed at the end
        self._runs.append(run)
        for start in range(0, len(self._pairs), _BLOCK):
            marshal.dump(self._pairs[start : start + _BLOCK], run)
        self._pairs, self._used = [], 0


def _read_run(run: IO[bytes]) -> Iterator[tuple[Key, int, bytes]]:
    run.seek(0)
    while True:
        try:
            block = marshal.load(run)
        except EOFError:
            return
        yield from block
