"""What a history would have made of a segment, summed up."""

from __future__ import annotations

from hairspring.engine.conditions import InSegment, Performed
from hairspring.engine.plan import Plan
from hairspring.engine.preview import DAY, Course, Tally, course, with_references
from hairspring.engine.records import Change

from tests.unit.engine.histories import ADD, BUY, event, segment

BUYERS = segment(Performed(pattern=BUY, within=DAY), "buyers")
FANS = segment(InSegment(name="buyers"), "fans")
OTHERS = segment(Performed(pattern=ADD), "others")


def test_a_course_is_what_simulation_tells() -> None:
    """Events count in the order of time, whenever they were accepted, and none after the end."""
    late = event("Buy", DAY, 3, 9 * DAY)
    events = [event("Buy", 4 * DAY, 2), late, event("Buy", 8 * DAY)]

    found = course(events, Plan([BUYERS, FANS]), "fans", at=4 * DAY + 5)

    assert found.entered_at == 4 * DAY
    assert found.changes == (
        (DAY, Change.ENTERED),
        (2 * DAY, Change.LEFT),
        (4 * DAY, Change.ENTERED),
    )


def test_only_what_a_segment_refers_to_is_needed() -> None:
    """The others need not be judged."""
    needed = with_references([OTHERS, FANS, BUYERS], "fans")

    assert [one.name for one in needed] == ["fans", "buyers"]


def test_days_and_differences_are_summed_up() -> None:
    """Changes count from `since` on, examples are the first by profile, and all are counted."""
    tally = Tally(since=DAY + 5, at=3 * DAY, examples=2)
    inside, outside = Course(7, ()), Course(None, ())
    busy = Course(
        2 * DAY, ((DAY, Change.ENTERED), (DAY + 9, Change.LEFT), (2 * DAY, Change.ENTERED))
    )

    for profile, new, old in (
        ("d", inside, outside),
        ("b", busy, inside),
        ("c", outside, inside),
        ("a", inside, outside),
        ("e", inside, outside),
    ):
        tally.add(profile, new, old)

    assert tally.days == {1: [0, 1], 2: [1, 0], 3: [0, 0]}
    assert (tally.members.count, tally.members.first()) == (4, [("a", 7), ("b", 2 * DAY)])
    assert (tally.gained.count, tally.gained.first()) == (3, [("a", 7), ("d", 7)])
    assert (tally.lost.first(), tally.before) == ([("c", 7)], 2)
