"""Remembers which ids have come before: in memory, and on disk once they are many."""

from __future__ import annotations

import hashlib
import sqlite3
from types import TracebackType

_IN_MEMORY = 2_000_000
_DIGEST_BYTES = 12


class Seen:
    """A set of ids that may grow large; use it in a `with` block."""

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._room = in_memory
        self._recent: set[bytes] = set()
        self._older: sqlite3.Connection | None = None

    def __enter__(self) -> Seen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the temporary file."""
        if self._older is not None:
            self._older.close()

    def is_new(self, text: str) -> bool:
        """Tell whether an id comes for the first time, and remember it."""
        digest = hashlib.blake2b(
            text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES
        ).digest()
        if digest in self._recent or self._is_older(digest):
            return False
        self._recent.add(digest)
        if len(self._recent) >= self._room:
            self._move_to_disk()
        return True

    def _is_older(self, digest: bytes) -> bool:
        if self._older is None:
            return False
        found = self._older.execute("SELECT 1 FROM seen WHERE digest = ?", (digest,))
        return found.fetchone() is not None

    def _move_to_disk(self) -> None:
        if self._older is None:
            # An empty name is a temporary file of SQLite's own, gone when it is closed.
            self._older = sqlite3.connect("")
            self._older.execute("PRAGMA synchronous = OFF")
            self._older.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        rows = ((digest,) for digest in sorted(self._recent))
        self._older.executemany("INSERT INTO seen VALUES (?)", rows)
        self._older.commit()
        self._recent = set()
