"""One process at a time in a data directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hairspring.embedded import DirectoryInUse, DirectoryUnusable
from hairspring.embedded.locks import locked, prepare


def test_a_locked_directory_is_refused_with_its_holder(tmp_path: Path) -> None:
    """The second to come learns which process holds the directory."""
    with (
        locked(tmp_path),
        pytest.raises(DirectoryInUse, match=f"in use by process {os.getpid()}"),
        locked(tmp_path),
    ):
        raise AssertionError("unreachable")


def test_a_lock_is_given_back(tmp_path: Path) -> None:
    """After the block the directory is free again, though the lock's file remains."""
    for _ in range(2):
        with locked(tmp_path / "made" / "here") as directory:
            assert directory.is_dir()


def test_a_new_directory_is_open_to_nobody_else(tmp_path: Path) -> None:
    """Data directories are made for their owner alone."""
    with locked(tmp_path / "data") as directory:
        assert directory.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file in the place of the directory gives an error with its path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DirectoryUnusable, match="file"), locked(tmp_path / "file"):
        raise AssertionError("unreachable")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_of_somebody_else_is_named() -> None:
    """A directory that is there and closed gives an error with its path."""
    with pytest.raises(DirectoryUnusable, match="/proc"):
        prepare(Path("/proc"))
