"""Runs come out of the store as they went in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import Run
from hairspring.store import encoding
from hairspring.store.encoding import UnreadableState

LONG = 200


def kept(values: list[Any] | None, orders: list[int] | None = None) -> tuple[Run, int]:
    """A long run after it was stored, and how many bytes that took."""
    times = [1_700_000_000_000 + 86_400_000 * n for n in range(LONG)]
    run = Run(times, orders or list(range(7, 7 + 977 * LONG, 977)), values)
    stored = encoding.encode(ProfileState(streams={"s": run}))
    read = encoding.decode(stored).streams["s"]
    assert read == run
    return read, len(stored)


def test_amounts_of_money_take_two_bytes() -> None:
    """They are the very doubles that they were, and a state of 200 fits into a row."""
    read, size = kept([n * 3.21 // 0.01 / 100 for n in range(LONG)])

    assert read.values is not None
    assert all(isinstance(value, float) for value in read.values)
    assert size < 2_000


@pytest.mark.parametrize(
    "odd", [0.001, -0.01, 1e300, 655.36, 42_949_672.95, 42_949_673.0, 0.1 + 0.2]
)
def test_other_numbers_stay_as_they_are(odd: float) -> None:
    """One value that is no small amount among many that are changes nothing of any of them."""
    read, _ = kept([0.25] * (LONG - 1) + [odd])

    assert read.values is not None
    assert str(read.values[-1]) == str(odd)


def test_texts_and_no_values() -> None:
    """A run may have texts, or no values at all."""
    kept(["gold"] * LONG)
    kept(None)


def test_late_events() -> None:
    """Orders need not grow with the times."""
    kept([9.99] * LONG, orders=[*range(5_000, 5_000 - LONG, -1)])


def test_what_the_version_before_wrote_is_read() -> None:
    """A state of format 2 has plain values; one of an unknown format is refused."""
    runs = {"s": ([5, 3], [1, 1], [1.5, 2.5])}
    old = msgspec.msgpack.encode((2, 8, 5, runs, {}, {}, {}, {}, {}))
    new = msgspec.msgpack.encode((99, 8, 5, runs, {}, {}, {}, {}, {}))

    assert encoding.decode(old).streams["s"] == Run([5, 8], [1, 2], [1.5, 2.5])
    with pytest.raises(UnreadableState, match="99"):
        encoding.decode(new)
