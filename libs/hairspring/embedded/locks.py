"""One process at a time in a data directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hairspring.embedded.errors import DirectoryInUse, DirectoryUnusable

_LOCK_NAME = "lock"


@contextmanager
def locked(directory: Path) -> Iterator[Path]:
    """Hold the data directory, made if absent, for this process alone.

    The lock is the kernel's and goes with the process, however that ends. Raises `DirectoryInUse`
    if another holds it, and `DirectoryUnusable` if it cannot be made or written.
    """
    path = prepare(directory) / _LOCK_NAME
    descriptor = _open(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUse(directory, _holder(descriptor)) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield directory
    finally:
        os.close(descriptor)


def prepare(directory: Path) -> Path:
    """Make the directory, open to nobody else if new; raises `DirectoryUnusable`.

    One that is there must be writable.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DirectoryUnusable(
            f"{directory} cannot be made: {error.strerror}. Name a directory you can write to."
        ) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise DirectoryUnusable(
            f"{directory} cannot be written. Name a directory you can write to."
        )
    return directory


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DirectoryUnusable(
            f"{path} cannot be written: {error.strerror}. Name a directory you can write to."
        ) from error


def _holder(descriptor: int) -> str:
    pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return f"process {pid}" if pid.isdigit() else "another process"
