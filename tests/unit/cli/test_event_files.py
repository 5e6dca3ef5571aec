"""Files of JSON lines."""

from __future__ import annotations

import gzip
from pathlib import Path

import click
import pytest
from hairspring.cli import event_files
from hairspring.cli.event_files import EventFile


def read(path: Path) -> list[tuple[int, bytes]]:
    with EventFile(str(path)) as file:
        lines = list(file.lines())
        assert file.bytes_read == file.size
    return lines


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_lines_from_one(tmp_path: Path, compressed: bool) -> None:
    """Lines come with their numbers, blank ones are passed over, plain or gzipped."""
    content = b'\xef\xbb\xbf{"a": 1}\r\n\n{"b": 2}'
    path = tmp_path / "events.jsonl"
    path.write_bytes(gzip.compress(content) if compressed else content)
    assert read(path) == [(1, b'{"a": 1}\r\n'), (3, b'{"b": 2}')]


def test_an_empty_file(tmp_path: Path) -> None:
    """A file without content has no lines."""
    path = tmp_path / "events.jsonl"
    path.touch()
    assert read(path) == []


def test_a_file_that_is_broken_off(tmp_path: Path) -> None:
    """A gzipped file that ends too soon is told with the last line that was read."""
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 1_000)[:-12])
    with pytest.raises(click.ClickException, match=r"damaged or broken off after line \d+"):
        read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file and a directory are told in a sentence."""
    with pytest.raises(click.ClickException, match="cannot be read"):
        EventFile(str(tmp_path / "none.jsonl"))
    with pytest.raises(click.ClickException, match="is a directory"):
        EventFile(str(tmp_path))


def test_an_endless_line_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line beyond the bound is cut, and the next one is whole again."""
    monkeypatch.setattr(event_files, "LONGEST_LINE", 100)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * 1_000 + b"\n" + b'{"a": 1}\n')
    assert read(path) == [(1, b"x" * 100), (2, b'{"a": 1}\n')]
