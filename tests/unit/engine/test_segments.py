"""The table of memberships."""

from __future__ import annotations

import pytest
from hairspring.engine.conditions import Performed
from hairspring.engine.plan import Plan
from hairspring.engine.segments import Outcome, Segment, judge
from hairspring.engine.state import SegmentState
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import ADD, BUY, GO, STOP, event, fold, lines, segment

YES, NO = Verdict(True), Verdict(False)
OUT = SegmentState()
WAITING = SegmentState(enter_held=True, rise_at=5)
IN = SegmentState(member=True, entered_at=0, enter_held=True)
IN_AGAIN = SegmentState(member=True, entered_at=0, enter_held=True, rise_at=5)
LEFT_AT_8 = SegmentState(entered_at=0, left_at=8)


def a_segment(**more: int) -> Segment:
    return segment(Performed(pattern=ADD), **more)


@pytest.mark.parametrize(
    ("was", "enter", "leave", "outcome", "member", "rise_at"),
    [
        pytest.param(OUT, NO, None, None, False, None, id="out stays out"),
        pytest.param(OUT, YES, None, Outcome.ENTERED, True, None, id="a rise enters"),
        pytest.param(OUT, YES, YES, Outcome.HELD, False, 10, id="exit holds a rise back"),
        pytest.param(WAITING, YES, YES, None, False, 5, id="and is told once"),
        pytest.param(WAITING, YES, NO, Outcome.ENTERED, True, None, id="a standing rise enters"),
        pytest.param(WAITING, NO, NO, None, False, None, id="a rise falls with enter"),
        pytest.param(IN, YES, None, None, True, None, id="in stays in"),
        pytest.param(IN, NO, None, Outcome.LEFT, False, None, id="without exit, enter decides"),
        pytest.param(IN, NO, NO, None, True, None, id="with exit, it does not"),
        pytest.param(IN, YES, YES, Outcome.LEFT, False, None, id="exit leaves"),
        pytest.param(IN_AGAIN, YES, YES, Outcome.LEFT, False, None, id="an older rise is wiped"),
    ],
)
def test_the_table(
    was: SegmentState,
    enter: Verdict,
    leave: Verdict | None,
    outcome: Outcome | None,
    member: bool,
    rise_at: int | None,
) -> None:
    """Each row of the table, judged at the moment 10."""
    ruling = judge(a_segment(), was, 10, enter, leave, None)

    assert (outcome, member) == (ruling.outcome, ruling.state.member)
    assert (rise_at, enter.holds) == (ruling.state.rise_at, ruling.state.enter_held)


def test_stay_ends_exactly() -> None:
    """A member leaves at `entered + stay`, not a millisecond before, and asks to be woken then."""
    staying = judge(a_segment(stay=10), IN, 9, YES, None, None)
    leaving = judge(a_segment(stay=10), IN, 10, YES, None, None)

    assert (staying.state.member, staying.state.until) == (True, 10)
    assert (leaving.outcome, leaving.state.left_at) == (Outcome.LEFT, 10)


def test_cooldown_ends_exactly() -> None:
    """A rise during the cooldown is held until `left + cooldown`, and enters then."""
    held = judge(a_segment(cooldown=5), LEFT_AT_8, 12, YES, None, None)
    entered = judge(a_segment(cooldown=5), held.state, 13, YES, None, None)

    assert (held.outcome, held.reason, held.until) == (Outcome.HELD, "cooldown", 13)
    assert held.state.until == 13
    assert entered.outcome == Outcome.ENTERED


def test_a_rise_of_an_old_event_is_used_up() -> None:
    """`max_event_age` drops a rise whose event is older than it, and keeps one that is as old."""
    young = judge(a_segment(max_event_age=3), OUT, 10, YES, None, 3)
    old = judge(a_segment(max_event_age=3), OUT, 10, YES, None, 4)
    still = judge(a_segment(max_event_age=3), old.state, 11, YES, None, None)

    assert young.outcome == Outcome.ENTERED
    assert (old.outcome, old.reason) == (Outcome.DROPPED, "max_event_age")
    assert (still.outcome, still.state.member) == (None, False)


def test_a_rise_in_the_millisecond_of_leaving_waits_for_the_next() -> None:
    """One event that ends a stay's exit and raises `enter` again lets her in a millisecond later.

    So it does when more events follow in that millisecond, mentioned by the segment or not.
    """
    plan = Plan(
        [segment(Performed(pattern=GO, within=2), exit=Performed(pattern=STOP, within=1), stay=4)]
    )
    first = (event("Go", 10), event("Go", 14))
    expected = ["10 entered carts by Go@10", "14 left carts by Go@14", "15 entered carts by time"]

    alone = fold(plan, *first, event("Add", 20))
    unmentioned = fold(plan, *first, event("Add", 14, 15), event("Add", 20))
    mentioned = fold(plan, *first, event("Go", 14, 15), event("Add", 20))

    for found in (alone, unmentioned, mentioned):
        assert expected == lines(found.records)[:3]


def test_nobody_comes_back_for_what_she_did_before_she_left() -> None:
    """A rise while inside is wiped out by leaving; a new one is needed."""
    plan = Plan([segment(Performed(pattern=ADD, within=5), exit=Performed(pattern=BUY, within=1))])

    found = fold(
        plan, event("Add", 0), event("Add", 8), event("Buy", 9), event("Stop", 12), event("Add", 20)
    )

    assert lines(found.records) == [
        "0 entered carts by Add@0",
        "9 left carts by Buy@9",
        "20 entered carts by Add@20",
    ]
