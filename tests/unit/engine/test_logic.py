"""`all`, `any`, `not` and `segment`."""

from __future__ import annotations

from hairspring.engine.conditions import All, Any, InSegment, Not, Performed
from hairspring.engine.conditions.base import walk
from hairspring.engine.state import ProfileState, SegmentState
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import ADD, BUY, event, knowing

ADDED = Performed(pattern=ADD, within=100)
BOUGHT = Performed(pattern=BUY, within=50)
PROFILE = knowing(event("Add", 0), event("Buy", 10))


def test_all_changes_with_the_first_part_that_fails() -> None:
    """While all hold, the earliest `until` counts."""
    assert Verdict(True, 60) == All((ADDED, BOUGHT)).verdict(PROFILE, 10)


def test_any_stands_as_long_as_one_part_does() -> None:
    """While several hold, the latest `until` counts."""
    assert Verdict(True, 100) == Any((ADDED, BOUGHT)).verdict(PROFILE, 10)


def test_failing_parts_keep_all_failing() -> None:
    """A part that only an event can mend makes the whole wait for that event."""
    assert Verdict(False) == All((ADDED, Not(Performed(pattern=ADD)))).verdict(PROFILE, 10)
    assert Verdict(False, 100) == All((Not(ADDED), Not(BOUGHT))).verdict(PROFILE, 10)


def test_not_turns_when_its_condition_does() -> None:
    """The moment is the same, the answer the other."""
    assert Verdict(False, 60) == Not(BOUGHT).verdict(PROFILE, 10)
    assert Verdict(True) == Not(BOUGHT).verdict(PROFILE, 60)


def test_segment_asks_for_the_membership() -> None:
    """Somebody never judged is no member."""
    member = ProfileState(segments={"staff": SegmentState(member=True)})

    assert InSegment("staff").verdict(member, 0).holds
    assert not InSegment("staff").verdict(ProfileState(), 0).holds


def test_every_condition_has_a_path() -> None:
    """Paths are those of the definition."""
    paths = [path for path, _ in walk(All((ADDED, Not(InSegment("staff")))), "enter")]

    assert paths[:3] == ["enter.all", "enter.all[0].performed", "enter.all[1].not"]
    assert paths[3] == "enter.all[1].not.segment"
