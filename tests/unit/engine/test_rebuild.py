"""The one rebuild."""

from __future__ import annotations

from hairspring.engine.conditions import Abandoned
from hairspring.engine.plan import Plan
from hairspring.engine.rebuild import rebuild
from hairspring.engine.records import Origin, Transition
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, Step

from tests.unit.engine.histories import ADD, BUY, event, fold, lines, segment

PLAN = Plan([segment(Abandoned(pattern=ADD, unless=BUY, after=100))])


def rebuilt(before: ProfileState, *history: object, fresh: bool = False) -> Step:
    return rebuild(before, history, PLAN, through=5000, origin=Origin.IMPORT, fresh=fresh)  # type: ignore[arg-type]


def test_imported_history_is_told_at_its_own_times() -> None:
    """Of somebody never seen live, in whatever order it came, with the origin given."""
    found = rebuilt(ProfileState(), event("Buy", 300), event("Add", 0))

    assert lines(found.records) == ["100 entered carts by time", "300 left carts by Buy@300"]
    assert {Origin.IMPORT} == {r.origin for r in found.records if isinstance(r, Transition)}


def test_whoever_was_seen_live_is_compared_at_the_clock() -> None:
    """What was published stays; the difference that older events make is published now."""
    live = fold(PLAN, event("Add", 1000), Passed(1500))
    assert lines(live.records) == ["1100 entered carts by time"]

    found = rebuilt(live.state, event("Add", 1000), event("Add", 0), event("Buy", 1050))

    assert lines(found.records) == ["1100 left carts by time"]


def test_a_fresh_profile_is_told_up_to_its_first_live_event() -> None:
    """When the import began before it was seen live, its past is told at its own times."""
    live = fold(PLAN, event("Add", 1000), Passed(1200))

    found = rebuilt(live.state, event("Add", 1000), event("Add", 0), fresh=True)

    assert lines(found.records) == ["100 entered carts by time", "1000 left carts by time"]


def test_the_same_history_again_is_silent() -> None:
    """An import of what is known already says nothing and keeps the alarm."""
    live = fold(PLAN, event("Add", 4950))

    found = rebuilt(live.state, event("Add", 4950))

    assert (found.records, found.alarm) == ([], 5050)
