"""Runs and patterns."""

from __future__ import annotations

import pytest
from hairspring.engine.streams import Pattern, Run


def test_late_events_are_put_where_they_belong() -> None:
    """A run is sorted by time, then by order of acceptance, whatever came first."""
    run = Run([], [])
    for time, order in ((5, 1), (9, 2), (5, 4), (1, 3), (5, 2)):
        run.insert(time, order)

    assert list(run.references(0, len(run.times))) == [(1, 3), (5, 1), (5, 2), (5, 4), (9, 2)]


def test_slices_are_found_by_time_and_by_order() -> None:
    """`first_after` skips a whole millisecond, `after` only what was accepted before."""
    run = Run([1, 5, 5, 9], [1, 2, 4, 5])

    assert run.first_after(5) == 3
    assert run.after(5, 2) == 2
    assert run.after(5, 3) == 2
    assert run.after(0, 9) == 0


def test_equal_patterns_share_a_stream() -> None:
    """The key depends on the names and the expression, not on how they were written down."""
    assert Pattern(names=("A", "B")).key == Pattern(names=("B", "A", "B")).key
    assert Pattern(names=("A", "*")).key == Pattern(names=("*",)).key
    with_where = Pattern(names=("A",), where="true", predicate=lambda event: True)
    assert Pattern(names=("A",)).key != with_where.key


def test_a_name_cannot_pass_for_two() -> None:
    """Names that contain each other's separators do not get each other's stream."""
    assert Pattern(names=("A B",)).key != Pattern(names=("A", "B")).key
    assert Pattern(names=("A", "B")).key != Pattern(names=("A\x00B",)).key
    spoofed = Pattern(names=("A", "\x01", "true"))
    where = Pattern(names=("A",), where="true", predicate=lambda event: True)
    assert spoofed.key != where.key
    assert Pattern(names=("A\ud800",)).key != Pattern(names=("A",)).key


@pytest.mark.parametrize("where", [None, "true"])
def test_a_pattern_is_whole(where: str | None) -> None:
    """A pattern needs names, and an expression its predicate."""
    with pytest.raises(ValueError, match="needs names"):
        Pattern(names=() if where is None else ("A",), where=where)
