"""How a profile stands to a segment."""

from __future__ import annotations

import pytest
from hairspring.engine.conditions import Abandoned, Performed
from hairspring.engine.durations import words
from hairspring.engine.explain import account, references
from hairspring.engine.plan import Plan
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed

from tests.unit.engine.histories import ADD, BUY, event, fold, segment

SECOND = 1000
CARTS = segment(Abandoned(pattern=ADD, unless=BUY, after=60 * SECOND), stay=3600 * SECOND)
KEEN = segment(
    Performed(pattern=ADD, within=60 * SECOND),
    exit=Performed(pattern=BUY, within=10 * SECOND),
    cooldown=30 * SECOND,
)


def test_a_deadline_ahead_is_named() -> None:
    """Before it: no member, and when that changes; after it: a member, and how long still."""
    state = fold(Plan([CARTS]), event("Add", 0)).state
    before = account(CARTS, state, 59 * SECOND)
    inside = fold(Plan([CARTS]), event("Add", 0), Passed(60 * SECOND)).state
    after = account(CARTS, inside, 120 * SECOND)

    assert (before.member, before.until, references(before)) == (False, 60 * SECOND, {0})
    assert (after.member, after.entered_at) == (True, 60 * SECOND)
    assert after.until == 3660 * SECOND
    assert after.remark == "stays 1h after entering, 59m of it left"


def test_what_stands_in_the_way_is_said() -> None:
    """`exit`, then the cooldown, then that the rise was wiped out by leaving."""
    plan = Plan([KEEN])
    left = fold(plan, event("Add", 0), event("Buy", 5 * SECOND)).state

    assert account(KEEN, left, 6 * SECOND).remark == "`exit` holds, so nobody enters"
    cooling = account(KEEN, left, 20 * SECOND).remark
    assert cooling == "left 15s ago, cannot enter again for 15s"
    assert "without a break" in account(KEEN, left, 40 * SECOND).remark


def test_a_stranger_has_no_history() -> None:
    """Nothing was recorded, so nothing can be explained by it."""
    told = account(CARTS, ProfileState(), 0)

    assert (told.member, told.remark) == (False, "nothing was ever recorded of this profile")


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(5_400_000, "1h30m"), (0, "0s"), (7, "7ms"), (-90_000, "-1m30s"), (8 * 86_400_000, "1w1d")],
)
def test_durations_read_as_they_are_written(milliseconds: int, expected: str) -> None:
    """Large units first, and milliseconds where they are left."""
    assert words(milliseconds) == expected
