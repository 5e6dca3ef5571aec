"""Remembering which ids have come before."""

from __future__ import annotations

import errno
import os
import random

import click
import pytest
from hairspring.cli import seen
from hairspring.cli.seen import Seen


@pytest.mark.parametrize("in_memory", [1, 7, 10_000])
def test_ids_that_have_come_before(in_memory: int) -> None:
    """An id is new once, whether it is remembered in memory or in a file that grows."""
    chance = random.Random(5)
    ids = [f"m{chance.randrange(9_000)}" for _ in range(20_000)]
    with Seen(in_memory) as known:
        new = [text for text in ids if known.is_new(text)]
    assert new == list(dict.fromkeys(ids))


def test_places_that_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests that want one place, the last of the file, are found where they went instead."""
    numbers = iter([*range(3_000), *range(3_000)])

    class Crowded:
        def __init__(self, content: bytes, digest_size: int) -> None:
            pass

        def digest(self) -> bytes:
            return b"\xff" * 8 + next(numbers).to_bytes(8, "big")

    monkeypatch.setattr(seen, "blake2b", Crowded)
    with Seen(in_memory=10) as known:
        assert [known.is_new("") for _ in range(6_000)] == [True] * 3_000 + [False] * 3_000


def test_texts_that_are_no_unicode() -> None:
    """A lone surrogate is an id like others."""
    with Seen() as known:
        assert [known.is_new(text) for text in ("\ud800", "\udc00", "\ud800")] == [
            True,
            True,
            False,
        ]


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file finds no room, that is said, with the way out."""

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with Seen(in_memory=2) as known:
        known.is_new("a")
        with pytest.raises(click.ClickException, match="TMPDIR"):
            known.is_new("b")
