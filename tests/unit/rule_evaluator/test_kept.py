"""What is kept of profiles is bounded by its size, and is what the store has."""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hairspring.engine.state import ProfileState
from hairspring.services.rule_evaluator import kept as module
from hairspring.services.rule_evaluator.kept import Kept
from hairspring.store.encoding import encode
from hairspring.store.port import Key, SegmentStore, Stored


class _Store:
    """Has every profile that it is asked for, and counts how often."""

    def __init__(self) -> None:
        self.read: list[Key] = []

    async def load(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """Read profiles."""
        self.read += keys
        state = ProfileState(traits={"note": (1, 1, Random(1).randbytes(1_500).hex())})
        return {key: Stored(state=encode(state)) for key in keys}


def _kept(store: _Store) -> Kept:
    plans: Any = {0: SimpleNamespace(by_workspace={})}
    return Kept(cast(SegmentStore, store), plans)


def _keys(start: int, stop: int) -> list[Key]:
    return [Key(0, "default", str(number)) for number in range(start, stop)]


async def test_what_fits_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there is room, a profile that was read is not read again."""
    monkeypatch.setattr(module, "KEPT_BYTES", 1_000_000)
    store = _Store()
    kept = _kept(store)

    for _ in range(3):
        assert [*await kept.load(_keys(0, 100))] == _keys(0, 100)

    assert store.read == _keys(0, 100)


async def test_what_was_not_used_for_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bytes, profiles are let go in the order in which they were used last."""
    monkeypatch.setattr(module, "KEPT_BYTES", 1_000_000)
    monkeypatch.setattr(module, "SIZED_BY", 10)
    store = _Store()
    kept = _kept(store)
    for start in range(0, 400, 10):
        await kept.load(_keys(start, start + 10))
    store.read.clear()

    await kept.load(_keys(350, 400))
    assert store.read == []
    await kept.load(_keys(0, 50))
    assert store.read == _keys(0, 50)


async def test_a_turn_has_all_that_it_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little room there is, what is asked for at once is given."""
    monkeypatch.setattr(module, "KEPT_BYTES", 1)
    store = _Store()
    kept = _kept(store)

    assert [*await kept.load(_keys(0, 30))] == _keys(0, 30)
    assert [*await kept.load(_keys(30, 31))] == _keys(30, 31)
