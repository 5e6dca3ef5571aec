"""The one door."""

from __future__ import annotations

import pytest
from hairspring.engine.conditions import Abandoned, All, InSegment, Not, Performed
from hairspring.engine.conditions.base import Condition, Finding
from hairspring.engine.plan import Plan
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, StandingStill, step
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import ADD, BUY, event, fold, identify, lines, segment

CARTS = Plan([segment(Abandoned(pattern=ADD, unless=BUY, after=100))])


def test_nothing_happening_is_found_to_the_millisecond() -> None:
    """The alarm names the deadline; whoever looks later finds the change at its own time."""
    waiting = fold(CARTS, event("Add", 0), Passed(99))
    found = fold(CARTS, event("Add", 0), Passed(5000))

    assert (waiting.records, waiting.alarm) == ([], 100)
    assert lines(found.records) == ["100 entered carts by time"]
    assert found.alarm is None


def test_a_purchase_accepted_before_the_deadline_is_never_overtaken() -> None:
    """However late the evaluation is, what was accepted before the moment comes first."""
    found = fold(CARTS, event("Add", 0), event("Buy", 100), Passed(5000))

    assert found.records == []


def test_a_late_purchase_undoes_at_the_clock() -> None:
    """The moment was passed before it was accepted, so the entry stands and is undone, late."""
    found = fold(CARTS, event("Add", 0), event("Buy", 60, 2, accepted_at=101))

    assert lines(found.records) == ["100 entered carts by time", "100 left carts by Buy@60 late"]
    assert found.state.clock == 100


def test_a_purchase_after_the_moment_does_not_call_it_off() -> None:
    """Times count, not the order of evaluation: what is read before the alarm may lie behind it."""
    found = fold(CARTS, event("Add", 0), event("Buy", 150))

    assert lines(found.records) == ["100 entered carts by time", "150 left carts by Buy@150"]


def test_lateness_lets_moments_wait() -> None:
    """With an allowed lateness of 50, a purchase that is 50 late still comes in time."""
    in_time = fold(
        CARTS, event("Add", 0), event("Buy", 60, 2, accepted_at=150), Passed(500), lateness=50
    )
    too_late = fold(
        CARTS, event("Add", 0), event("Buy", 60, 2, accepted_at=151), Passed(500), lateness=50
    )
    waiting = fold(CARTS, event("Add", 0), Passed(149), lateness=50)

    assert [] == in_time.records == waiting.records
    assert lines(too_late.records)[0] == "100 entered carts by time"


def test_a_moment_that_changes_nothing_leaves_no_trace() -> None:
    """Neither an early wake-up nor an answer that stays the same moves the clock."""
    carts = [event("Add", 0), Passed(50), event("Add", 20, 2, accepted_at=60)]
    found = fold(CARTS, *carts)
    rung = fold(CARTS, *carts, Passed(100))

    assert (found.state.clock, found.alarm) == (20, 100)
    assert (rung.state.clock, rung.alarm, rung.records) == (20, 120, [])


def test_a_segment_changes_with_the_one_it_refers_to() -> None:
    """In the same evaluation, after it, and with the same cause."""
    plan = Plan(
        [
            segment(Performed(pattern=BUY, within=100), "buyers"),
            segment(All((Performed(pattern=ADD), Not(InSegment("buyers")))), "askers"),
        ]
    )

    found = fold(plan, event("Add", 0), event("Buy", 10), Passed(500))

    assert lines(found.records) == [
        "0 entered askers by Add@0",
        "10 entered buyers by Buy@10",
        "10 left askers by Buy@10",
        "110 left buyers by time",
        "110 entered askers by time",
    ]


def test_the_first_instant_of_a_profile_counts() -> None:
    """Whoever appears is judged by every segment, also those that do not mention the event."""
    plan = Plan([segment(Not(Performed(pattern=BUY)), "strangers")])

    assert lines(fold(plan, identify(7)).records) == ["7 entered strangers by identify@7"]


def test_traits_keep_the_last_setting_by_event_time() -> None:
    """A late identify does not undo a newer one, and None unsets."""
    found = fold(
        CARTS,
        identify(50, plan="gold", city="Graz"),
        identify(20, plan="free", name="Ada"),
        identify(60, city=None),
    )

    assert found.state.current_traits() == {"plan": "gold", "name": "Ada"}


def test_what_a_flow_names_is_matched() -> None:
    """Events that a flow waits for are recorded, once each."""
    plan = Plan(CARTS.segments, flow_events=["Buy"])

    assert lines(fold(plan, event("Add", 0), event("Buy", 5)).records) == ["5 matched Buy"]


def test_a_segment_that_was_removed_rings_no_more() -> None:
    """Its state stays as it is, its alarm goes."""
    state = fold(CARTS, event("Add", 0)).state
    assert state.alarm() == 100

    assert step(state, Passed(500), Plan([]))[1:] == ([], None)


class Stuck(Condition):
    """Always to be judged again at once."""

    keyword = "stuck"

    def verdict(self, profile: ProfileState, t: int) -> Verdict:
        return Verdict(False, t)

    def finding(self, profile: ProfileState, t: int) -> Finding:
        return Finding(detail="stuck")

    def __str__(self) -> str:
        return "stuck"


def test_a_condition_that_stands_still_is_told() -> None:
    """One that changes by itself no later than it was judged is an error, not an endless loop."""
    with pytest.raises(StandingStill, match="at 0 ms"):
        fold(Plan([segment(Stuck(), "s")]), event("Add", 0), Passed(10))
