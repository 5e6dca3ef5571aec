"""`inactive`."""

from __future__ import annotations

from hairspring.engine.conditions import Inactive
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import ADD, event, lived

QUIET = Inactive(pattern=ADD, wait=100)


def test_it_holds_from_the_end_of_the_wait_on() -> None:
    """The last event counts, and a profile that never did it is not inactive."""
    profile = lived(QUIET, event("Add", 0), event("Add", 50))

    assert Verdict(False, 150) == QUIET.verdict(profile, 149)
    assert Verdict(True) == QUIET.verdict(profile, 150)
    assert Verdict(False) == QUIET.verdict(lived(QUIET, event("Go", 0)), 900)


def test_a_late_event_before_the_last_changes_nothing() -> None:
    """Only the last one by event time is remembered."""
    profile = lived(QUIET, event("Add", 50), event("Add", 10, 2, accepted_at=60))

    assert Verdict(False, 150) == QUIET.verdict(profile, 60)
    assert QUIET.finding(profile, 60).events == ((50, 50),)
