"""Sorting more than fits in memory."""

from __future__ import annotations

import random

import pytest
from hairspring.cli.disk_sort import DiskSort
from hairspring.cli.seen import Seen


@pytest.mark.parametrize("in_memory_bytes", [0, 5_000, 10**9])
def test_gives_back_by_key(in_memory_bytes: int) -> None:
    """Pairs come back by key, those of equal keys in the order given, on disk as in memory."""
    chance = random.Random(3)
    pairs = [((f"p{chance.randrange(9)}", chance.randrange(50)), b"%d" % n) for n in range(2_000)]
    with DiskSort(in_memory_bytes) as sort:
        for key, content in pairs:
            sort.add(key, content)
        assert list(sort) == sorted(pairs, key=lambda pair: pair[0])


def test_of_nothing() -> None:
    """Where nothing was added, nothing comes back."""
    with DiskSort() as sort:
        assert list(sort) == []


@pytest.mark.parametrize("in_memory", [1, 7, 10_000])
def test_ids_that_have_come_before(in_memory: int) -> None:
    """An id is new once, whether it is remembered in memory or on disk."""
    chance = random.Random(5)
    ids = [f"m{chance.randrange(300)}" for _ in range(1_000)]
    with Seen(in_memory) as seen:
        new = [text for text in ids if seen.is_new(text)]
    assert new == list(dict.fromkeys(ids))
