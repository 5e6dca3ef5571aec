"""`performed`."""

from __future__ import annotations

from hairspring.engine.conditions import Comparison, Performed
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import ADD, BUY, event, knowing

TWICE = Comparison(operator=">=", number=2)
NEVER = Comparison(operator="==", number=0)


def test_an_event_leaves_the_window_exactly_its_length_after_it_happened() -> None:
    """`within: 100` holds an event of 0 up to 99, and says that it slides out at 100."""
    condition = Performed(pattern=ADD, within=100)
    profile = knowing(event("Add", 0))

    assert Verdict(True, 100) == condition.verdict(profile, 99)
    assert Verdict(False) == condition.verdict(profile, 100)


def test_it_is_woken_only_by_the_event_that_turns_the_answer() -> None:
    """With three events and two asked for, the second slide-out is the one that matters."""
    condition = Performed(pattern=ADD, times=TWICE, within=100)
    profile = knowing(event("Add", 0), event("Add", 10), event("Add", 20))

    assert Verdict(True, 110) == condition.verdict(profile, 50)
    assert Verdict(False) == condition.verdict(profile, 110)


def test_absence_begins_when_the_last_event_slides_out() -> None:
    """`== 0` within a window turns true by time alone."""
    condition = Performed(pattern=ADD, times=NEVER, within=100)
    profile = knowing(event("Add", 0), event("Add", 60))

    assert Verdict(False, 160) == condition.verdict(profile, 60)
    assert Verdict(True) == condition.verdict(profile, 160)


def test_since_counts_anew_in_the_order_of_the_profile() -> None:
    """Of one millisecond, what was accepted after the `since` event counts, no more."""
    condition = Performed(pattern=ADD, times=TWICE, since=BUY)
    events = [event("Add", 5, 1), event("Buy", 5, 2), event("Add", 5, 3)]

    once, twice = knowing(*events), knowing(*events, event("Add", 6, 4))

    assert not condition.verdict(once, 5).holds
    assert condition.verdict(twice, 6).holds


def test_it_names_what_it_counted() -> None:
    """The finding tells the count and the events within the window, oldest first."""
    condition = Performed(pattern=ADD, times=TWICE, within=100)
    finding = condition.finding(knowing(event("Add", 0), event("Add", 60), event("Add", 90)), 120)

    assert finding.detail == "2 counted, asked for >= 2"
    assert finding.events == ((60, 60), (90, 90))
