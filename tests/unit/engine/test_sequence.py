"""`sequence`."""

from __future__ import annotations

from hairspring.engine.conditions import Sequence
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import ADD, BUY, GO, by, event, lived


def test_steps_come_one_after_the_other() -> None:
    """In the profile's order, also within one millisecond, and one event is one step only."""
    both = Sequence(steps=(ADD, BUY))

    assert both.verdict(lived(both, event("Add", 5, 1), event("Buy", 5, 2)), 5).holds
    assert not both.verdict(lived(both, event("Buy", 5, 1), event("Add", 5, 2)), 5).holds
    twice = Sequence(steps=(ADD, ADD))
    assert not twice.verdict(lived(twice, event("Add", 5)), 5).holds


def test_within_reaches_from_the_first_to_the_last() -> None:
    """The nearest first step counts, and exactly `within` is in time."""
    condition = Sequence(steps=(ADD, BUY), within=100)
    events = [event("Add", 0), event("Add", 50), event("Buy", 150)]

    assert condition.verdict(lived(condition, *events), 150) == Verdict(True)
    assert not condition.verdict(lived(condition, *events[:2], event("Buy", 151)), 151).holds


def test_recent_ends_exactly_its_length_after_the_last_step() -> None:
    """`recent: 100` holds for a chain that ended at 50 up to 149."""
    condition = Sequence(steps=(ADD, BUY), recent=100)
    profile = lived(condition, event("Add", 0), event("Buy", 50))

    assert Verdict(True, 150) == condition.verdict(profile, 149)
    assert Verdict(False) == condition.verdict(profile, 150)


def test_all_steps_are_of_one_group() -> None:
    """With `by`, a step of another group continues nothing; the groups that hold are named."""
    condition = Sequence(steps=(by("Add"), by("Buy")))
    events = [event("Add", 1, cart=7), event("Buy", 2, cart=8), event("Buy", 3, cart=7.0)]

    assert not condition.verdict(lived(condition, *events[:2]), 2).holds
    found = condition.finding(lived(condition, *events), 3)
    assert found.groups == ("7",)
    assert found.events == ((1, 1), (3, 3))


def test_it_names_the_chain_or_how_far_it_has_come() -> None:
    """Without `recent` the chain that was complete first, with it the one that ends latest."""
    events = [event("Add", 1), event("Add", 2), event("Buy", 3), event("Add", 4), event("Buy", 5)]
    first, last = Sequence(steps=(ADD, BUY)), Sequence(steps=(ADD, BUY), recent=9)
    three = Sequence(steps=(ADD, BUY, GO))

    assert first.finding(lived(first, *events), 5).events == ((2, 2), (3, 3))
    assert last.finding(lived(last, *events), 5).events == ((4, 4), (5, 5))
    begun = three.finding(lived(three, *events), 5)
    assert (begun.detail, begun.events) == ("2 of 3 steps", ((4, 4), (5, 5)))


def test_a_beginning_that_is_too_long_ago_is_none() -> None:
    """What cannot be completed within the time any more is not counted as a step."""
    condition = Sequence(steps=(ADD, BUY), within=10)
    profile = lived(condition, event("Add", 0), event("Go", 10))

    assert condition.finding(profile, 10).detail == "1 of 2 steps"
    assert condition.finding(profile, 11).detail == "0 of 2 steps"


def test_it_tells_of_the_group_that_did_something_last() -> None:
    """Where no group holds, also one that has not come to the last step."""
    condition = Sequence(steps=(by("Add"), by("Buy")))
    profile = lived(condition, event("Buy", 1, cart="old"), event("Add", 2, cart="new"))

    found = condition.finding(profile, 2)

    assert (found.detail, found.events) == ('properties.cart "new": 1 of 2 steps', ((2, 2),))


def test_a_begun_chain_is_remembered_beyond_the_horizon() -> None:
    """A first step of long ago still counts, and of many only the latest is kept."""
    condition = Sequence(steps=(ADD, BUY))
    begun = lived(condition, event("Add", 0), event("Add", 10), event("Add", 900), horizon=100)
    done = lived(condition, event("Add", 0), event("Add", 900), event("Buy", 901), horizon=100)

    assert begun.run(condition.steps[0].key).times == [10, 900]
    assert condition.verdict(done, 901).holds
