"""Sorting more than fits in memory."""

from __future__ import annotations

import random

import pytest
from hairspring.cli.disk_sort import DiskSort


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
