"""Runs come out of the store as they went in."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hairspring.engine.state import ProfileState, SegmentState
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


@pytest.mark.parametrize("version", [2, 3])
def test_what_an_earlier_version_wrote_is_read(version: int) -> None:
    """Its runs are all packed, and the rest stands beside them."""
    runs = {"s": ([5, 3], [1, 1], [1.5, 2.5])}
    segments = {"a": (True, 5, None, True, None, 9)}
    old = msgspec.msgpack.encode((version, 8, 5, runs, {"k": runs}, {}, segments, {}, {}))

    read = encoding.decode(old)

    assert read.streams["s"] == read.keyed["k"]["s"] == Run([5, 8], [1, 2], [1.5, 2.5])
    assert read.segments["a"] == SegmentState(True, 5, None, True, None, 9)
    assert encoding.decode(encoding.encode(read)) == read


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (msgspec.msgpack.encode((99, 8, 5, {}, {}, {}, {}, {}, {})), "format 99"),
        (msgspec.msgpack.encode((99, 8)), "format 99"),
        (msgspec.msgpack.encode((4, 8, 5, {}, {}, {}, {})), "cannot be read"),
        (
            msgspec.msgpack.encode((4, 8, 5, {"é": 1}, {}, {}, {}, [])).replace(b"\xc3", b"\xff"),
            "read",
        ),
        (b"\xff\x00", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_what_cannot_be_read_says_why(stored: bytes, said: str) -> None:
    """A state of a later version, or a damaged one, is refused."""
    with pytest.raises(UnreadableState, match=said):
        encoding.decode(stored)


def test_large_states_are_compressed() -> None:
    """Runs over the same events take little more than one of them; what is read is the same."""
    random = Random(1)
    times = [1_700_000_000_000 + random.randrange(10**9) for _ in range(24)]
    orders = [random.randrange(10**6) for _ in range(24)]
    one = ProfileState(streams={"a": Run([*times], [*orders])})
    many = ProfileState(streams={name: Run([*times], [*orders]) for name in "abcdefgh"})

    stored = encoding.encode(many)

    assert len(stored) < 2 * len(encoding.encode(one))
    assert encoding.decode(stored) == many


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 100])
def test_a_damaged_block_says_so(cut: int) -> None:
    """One that was cut off, that holds something else, or that says it holds gigabytes."""
    runs = {name: Run([*range(10**9, 10**9 + 31)], [*range(31)]) for name in map(str, range(20))}
    stored = encoding.encode(ProfileState(streams=runs))
    assert stored[:1] == b"\xc1"

    for damaged in (
        stored[:cut],
        stored[:5] + b"\xff" * len(stored[5:]),
        b"\xc1" + b"\xff\xff\xff\x7f" + stored[5:],
        b"\xc1" + b"\xff\xff\xff\xff" + stored[5:],
    ):
        with pytest.raises(UnreadableState, match="cannot be read"):
            encoding.decode(damaged)


def test_runs_of_every_length_come_back_in_their_order() -> None:
    """Short runs and long ones, with groups and without, stand where they stood."""
    runs = {
        f"r{length}": Run(
            [1_700_000_000_000 + n for n in range(length)],
            [5 * n for n in range(length)],
            None if length % 2 else [float(n) for n in range(length)],
        )
        for length in (40, 0, 1, 5, 6, 7, 31, 32)
    }
    state = ProfileState(streams=dict(runs), keyed={"k": dict(runs), "empty": {}})

    read = encoding.decode(encoding.encode(state))

    assert read == state == ProfileState(streams=runs, keyed={"k": runs, "empty": {}})
    assert [*read.streams] == [*read.keyed["k"]] == [*runs]
