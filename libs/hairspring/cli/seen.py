"""Remembers which ids have come before: few of them in memory, many in a file.

Each id is remembered as a digest of 16 bytes, so that among a thousand million ids two are taken
for one with a chance of less than one in 10^20. The file is a table in which the place of a digest
follows from its first bits. At least half of it is empty, so that one look usually finds the
answer; it takes 32 to 128 bytes an id. It is mapped, so the system keeps as much of it in memory as
there is room for; what the process itself needs does not grow with the ids.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from collections.abc import Collection
from hashlib import blake2b
from types import TracebackType

import click

_IN_MEMORY = 250_000
_DIGEST_BYTES = 16
_EMPTY = bytes(_DIGEST_BYTES)
_PLACE_BYTES = 6
_SMALLEST_BITS = 12
_GROWTH_BITS = 2
_CHUNK = 64 * 1024  # Divides every size, since the smallest is as large.
_DIGESTS = struct.Struct("16s")


class Seen:
    """A set of ids that may grow large; use it in a `with` block.

    Raises `ClickException` where the disk has no room for them.
    """

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._room = in_memory
        self._few: set[bytes] = set()
        self._many: _Many | None = None

    def __enter__(self) -> Seen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up the temporary file."""
        if self._many is not None:
            self._many.close()

    def is_new(self, text: str) -> bool:
        """Tell whether an id comes for the first time, and remember it."""
        content = text.encode("utf-8", "surrogatepass")
        digest = blake2b(content, digest_size=_DIGEST_BYTES).digest()
        if self._many is not None:
            return self._many.add(digest)
        few = self._few
        if digest in few:
            return False
        few.add(digest)
        if len(few) >= self._room:
            self._many = _Many(few)
            self._few = set()
        return True


class _Many:
    """Digests in a temporary file, each at its place or at the next that was free."""

    def __init__(self, digests: Collection[bytes]) -> None:
        self._count = 0
        self._make(len(digests))
        for digest in sorted(digests):
            self.add(digest)

    def close(self) -> None:
        """Give up the file."""
        self._places.close()

    def add(self, digest: bytes) -> bool:
        """Put in a digest; tells whether it was not there yet."""
        places = self._places
        start = (int.from_bytes(digest[:_PLACE_BYTES], "big") >> self._shift) * _DIGEST_BYTES
        while (found := places[start : start + _DIGEST_BYTES]) != digest:
            if found == _EMPTY:
                places[start : start + _DIGEST_BYTES] = digest
                self._count += 1
                if self._count > self._room:
                    self._grow()
                return True
            start = (start + _DIGEST_BYTES) & self._last
        return False

    def _make(self, count: int) -> None:
        bits = max(_SMALLEST_BITS, count.bit_length() + _GROWTH_BITS)
        self._room = 1 << (bits - 1)
        self._shift = 8 * _PLACE_BYTES - bits
        size = _DIGEST_BYTES << bits
        self._last = size - _DIGEST_BYTES
        self._places = _mapped(size)

    def _grow(self) -> None:
        """Go on in a larger file, written nearly in the order of its places."""
        old = self._places
        self._make(self._count)
        self._count = 0
        for start in range(0, len(old), _CHUNK):
            for (digest,) in _DIGESTS.iter_unpack(old[start : start + _CHUNK]):
                if digest != _EMPTY:
                    self.add(digest)
        old.close()


def _mapped(size: int) -> mmap.mmap:
    """Map an empty temporary file that has its room on the disk for sure."""
    with tempfile.TemporaryFile(prefix="hairspring-seen-") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise click.ClickException(
                f"{tempfile.gettempdir()} has no room for {size // 2**20} MB of message ids: "
                f"{error.strerror}. Make room, or name another directory in TMPDIR."
            ) from error
        return mmap.mmap(file.fileno(), size)
