"""Calls are cut into what a script carries."""

from __future__ import annotations

import pytest
from hairspring.timers import LATEST_DUE, Timer, batches


@pytest.mark.parametrize(
    ("limit", "count", "expected"),
    [(7, 3, [3, 2, 2]), (1, 3, [1, 0, 0]), (0, 2, [0, 0]), (9, 0, []), (10_000, 2, [500, 500])],
)
def test_shares(limit: int, count: int, expected: list[int]) -> None:
    """A limit is shared evenly, and no share is more than a script carries."""
    assert batches.shares(limit, count) == expected


def test_chunks_keep_order_and_lose_nothing() -> None:
    """Rows are cut in order."""
    rows = list(range(1_201))
    pieces = list(batches.chunks(rows))
    assert [len(piece) for piece in pieces] == [500, 500, 201]
    assert [row for piece in pieces for row in piece] == rows


def test_neighbours_go_together_up_to_a_batch() -> None:
    """Calls are gathered in order, none twice, and no gathering is above what a script carries."""
    weights = [3, 3, 5, 1, 9, 12, 1]
    gathered = [weights[part] for part in batches.together(weights, 10)]
    assert gathered == [[3, 3], [5, 1], [9], [12], [1]]
    assert [*batches.together([], 10)] == []


def test_by_shard_keeps_order() -> None:
    """Rows of a shard stay in the order given."""
    pairs = [(1, "a"), (0, "b"), (1, "c")]
    assert batches.by_shard(pairs, lambda p: p[0], lambda p: p[1]) == {1: ["a", "c"], 0: ["b"]}


@pytest.mark.parametrize(("member", "due_at"), [("", 5), ("ada", -1), ("ada", LATEST_DUE + 1)])
def test_impossible_timers_are_refused(member: str, due_at: int) -> None:
    """A timer that no sorted set could hold is refused where it is made."""
    with pytest.raises(ValueError, match=r"member|due_at"):
        Timer(shard=0, member=member, due_at=due_at)
