"""Conditions with `by`."""

from __future__ import annotations

from hairspring.engine.conditions import Abandoned, Comparison, Performed
from hairspring.engine.records import Change, Transition
from hairspring.engine.streams import Pattern
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import BUY, Plan, by, event, fold, lived, segment

TWICE = Comparison(operator=">=", number=2)


def test_it_holds_when_it_holds_for_one_group() -> None:
    """Two events of different groups are not two of one; one without a group is of none."""
    condition = Performed(pattern=by("Add"), times=TWICE)
    apart = [event("Add", 1, cart=1), event("Add", 2, cart=2), event("Add", 3)]

    assert not condition.verdict(lived(condition, *apart), 3).holds
    assert condition.verdict(lived(condition, *apart, event("Add", 4, cart=1.0)), 4).holds


def test_it_changes_when_the_last_group_that_holds_does() -> None:
    """It holds as long as one group does, and is woken by the earliest one where none does."""
    condition = Performed(pattern=by("Add"), within=100)
    profile = lived(condition, event("Add", 0, 1, cart=1), event("Add", 60, cart=2))
    waiting = Abandoned(pattern=by("Add"), unless=BUY, after=100)
    both = lived(waiting, event("Add", 0, 1, cart=1), event("Add", 60, cart=2))

    assert Verdict(True, 160) == condition.verdict(profile, 60)
    assert Verdict(False, 100) == waiting.verdict(both, 60)


def test_an_end_concerns_its_group_or_all() -> None:
    """One that names a cart ends that cart; one that names none, or has no `by`, ends all."""
    ends = event("Buy", 50, cart=1)
    carts = [event("Add", 1, cart=1), event("Add", 2, cart=2)]
    own = Abandoned(pattern=by("Add"), unless=by("Buy"), after=100)
    common = Abandoned(pattern=by("Add"), unless=BUY, after=100)

    assert own.finding(lived(own, *carts, ends), 102).groups == ("2",)
    assert not own.verdict(lived(own, *carts, event("Buy", 50)), 102).holds
    assert not common.verdict(lived(common, *carts, ends), 102).holds


def test_since_concerns_its_group_or_all() -> None:
    """The count of another cart goes on."""
    condition = Performed(pattern=by("Add"), times=TWICE, since=by("Buy"))
    events = [event("Add", 1, cart=1), event("Add", 2, cart=2), event("Buy", 3, cart=1)]
    more = [event("Add", 4, cart=1), event("Add", 5, cart=2)]

    assert condition.finding(lived(condition, *events, *more), 5).groups == ("2",)
    assert not condition.verdict(lived(condition, *events, event("Buy", 3, 99), *more), 5).holds


def test_a_transition_names_the_groups() -> None:
    """As JSON, so that texts and numbers are told apart."""
    plan = Plan([segment(Performed(pattern=by("Add"), times=TWICE))])
    given = [event("Add", 1, cart="1"), event("Add", 2, cart=1), event("Add", 3, cart="1")]

    (entered,) = fold(plan, *given).records

    assert isinstance(entered, Transition)
    assert (entered.change, entered.groups) == (Change.ENTERED, ('"1"',))
    assert entered.evidence[0].events == ((1, 1), (3, 3))


def test_it_says_what_the_latest_group_lacks() -> None:
    """Where no group holds, the one that did something last is told of."""
    condition = Performed(pattern=by("Add"), times=TWICE)
    found = condition.finding(lived(condition, event("Add", 1, cart=1), event("Add", 2, cart=2)), 2)

    assert (found.detail, found.groups) == ("properties.cart 2: 1 of 2 Add, 1 more needed", ())
    assert isinstance(condition.pattern, Pattern)
