"""Who waits to be filled is judged by what is in force meanwhile, and catches up later."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hairspring.engine.conditions import All, Performed, Traits
from hairspring.engine.events import Event
from hairspring.engine.plan import Plan
from hairspring.engine.state import ProfileState
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.services.rule_evaluator.forms import Filling
from hairspring.services.rule_evaluator.plans import Plans
from hairspring.services.rule_evaluator.work import History
from hairspring.store.port import FILL, Key, Rebuild, Stored

from tests.unit.engine.histories import ADD, BUY, event, identify, segment

ADA = Key(1, "default", "ada")
WAITS = Rebuild(key=ADA, cause=FILL, position=10)
GOLD = Traits(
    text="traits.plan == 'gold'",
    predicate=lambda traits: traits.get("plan") == "gold",
    unset=lambda traits: (),
)
NEW = segment(All((Performed(pattern=ADD), GOLD)), name="golden@2")
PLANS = {
    1: Plans(
        by_workspace={"default": Plan([segment(Performed(pattern=BUY), name="buyers")])},
        fillings={"default": Filling(plan=Plan([NEW]), forms={"golden": "golden@2"}, versions={})},
    )
}
BEFORE = (identify(5, plan="free"), event("Buy", 6))
SINCE = (event("Add", 20), identify(21, plan="gold"), event("Buy", 22))


def fold() -> Fold:
    """Somebody whose events are folded by what is in force, and not yet by what is new."""
    begun = Fold(
        {ADA: Stored(state=ProfileState())}, {1: Plans(by_workspace=PLANS[1].by_workspace)}
    )
    for one in BEFORE:
        begun.event(ADA, one)
    return Fold({ADA: Stored(state=begun.stored[ADA].state, rebuilds=[WAITS])}, PLANS)


def filled_first(events: Sequence[Event]) -> Fold:
    """She is filled before anything else comes."""
    done = fold()
    done.rebuild(WAITS, History(events=BEFORE))
    for one in events:
        done.event(ADA, one)
    return done


@pytest.mark.parametrize("count", range(len(SINCE) + 1))
def test_it_is_all_the_same_when_she_is_filled(count: int) -> None:
    """What came meanwhile finds her as she stood where the filling began, traits included."""
    done, expected = fold(), filled_first(SINCE)
    for one in SINCE[:count]:
        done.event(ADA, one)
    done.rebuild(WAITS, History(events=BEFORE, later=SINCE[:count]))
    for one in SINCE[count:]:
        done.event(ADA, one)

    assert done.stored[ADA].fill == expected.stored[ADA].fill
    assert done.stored[ADA].state == expected.stored[ADA].state
    assert done.told == expected.told
    assert done.stored[ADA].rebuilds == []
    golden = done.stored[ADA].fill.segments["golden@2"]  # type: ignore[union-attr]
    assert (golden.member, golden.entered_at) == (True, 21)


def test_an_event_meanwhile_writes_nothing_of_what_is_filled() -> None:
    """Only what would be lost, the traits, is kept."""
    done = fold()
    done.event(ADA, SINCE[0])
    assert done.effects({}, 20).fills == []
    done.event(ADA, SINCE[1])
    [kept] = done.effects({}, 21).fills
    assert kept.key == ADA
    assert done.stored[ADA].rebuilds == [WAITS]
