"""`abandoned`."""

from __future__ import annotations

import pytest
from hairspring.engine.conditions import Abandoned
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import ADD, BUY, event, knowing

RESTARTING = Abandoned(pattern=ADD, unless=BUY, after=100)
STRICT = Abandoned(pattern=ADD, unless=BUY, after=100, restart=False)


def test_an_episode_is_abandoned_at_its_deadline() -> None:
    """Not a millisecond before it, and it stays so."""
    profile = knowing(event("Add", 0))

    assert Verdict(False, 100) == RESTARTING.verdict(profile, 99)
    assert Verdict(True) == RESTARTING.verdict(profile, 100)
    assert Verdict(False) == RESTARTING.verdict(knowing(), 100)


def test_an_end_at_the_deadline_completes() -> None:
    """So it does in the very millisecond of the start; one millisecond too late it only ends."""
    assert not RESTARTING.verdict(knowing(event("Add", 0), event("Buy", 100)), 100).holds
    assert not RESTARTING.verdict(knowing(event("Buy", 0, 1), event("Add", 0, 2)), 500).holds
    assert not RESTARTING.verdict(knowing(event("Add", 0), event("Buy", 101)), 101).holds


@pytest.mark.parametrize(
    ("condition", "deadline"), [(RESTARTING, 160), (STRICT, 100)], ids=["restart", "no restart"]
)
def test_a_further_start_moves_the_deadline_only_with_restart(
    condition: Abandoned, deadline: int
) -> None:
    """Two starts within the time are one episode."""
    profile = knowing(event("Add", 0), event("Add", 60), by=condition)

    assert Verdict(False, deadline) == condition.verdict(profile, 60)
    assert Verdict(True) == condition.verdict(profile, deadline)


def test_a_start_at_the_deadline_belongs_to_the_episode_that_ends() -> None:
    """Without `restart` it opens nothing; with it, it moves the deadline once more."""
    events = [event("Add", 0), event("Add", 100)]
    profile, strict = knowing(*events), knowing(*events, by=STRICT)

    assert Verdict(True) == STRICT.verdict(strict, 100)
    assert Verdict(True) == STRICT.verdict(strict, 300)
    assert Verdict(False, 200) == RESTARTING.verdict(profile, 100)


def test_the_next_start_opens_the_next_episode() -> None:
    """What was abandoned stops being so when somebody starts again."""
    events = [event("Add", 0), event("Add", 150), event("Add", 160), event("Add", 251)]
    profile, strict = knowing(*events), knowing(*events, by=STRICT)

    assert Verdict(False, 351) == STRICT.verdict(strict, 251)
    assert STRICT.finding(strict, 251).events == ((251, 251),)
    assert RESTARTING.finding(profile, 251).events == ((150, 150), (160, 160), (251, 251))


def test_a_late_end_undoes_it() -> None:
    """An end that arrives late but happened in time makes the episode completed."""
    profile = knowing(event("Add", 0), event("Buy", 50, 900))

    assert Verdict(False) == RESTARTING.verdict(profile, 400)
    assert RESTARTING.finding(profile, 400).detail == "ended in time"
