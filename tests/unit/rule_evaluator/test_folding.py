"""What a turn does to profiles that are deleted, or of whom nothing is known."""

from __future__ import annotations

from hairspring.engine.plan import Plan
from hairspring.engine.records import Change, Deleted, Transition
from hairspring.engine.state import ProfileState, SegmentState
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.services.rule_evaluator.plans import Plans
from hairspring.services.rule_evaluator.work import waiting_rebuilds
from hairspring.store.port import FILL, Key, Rebuild, Stored

ADA = Key(1, "default", "ada")
PLANS = {1: Plans(by_workspace={"default": Plan(())})}


def _known() -> Stored:
    """Somebody who is in a segment, with a timer that is set and a fill that waits."""
    return Stored(
        state=ProfileState(clock=9, segments={"s": SegmentState(member=True, entered_at=5)}),
        due_at=20,
        rebuilds=[Rebuild(key=ADA, cause=FILL, position=3)],
    )


def test_an_alarm_of_nobody_leaves_no_trace() -> None:
    """Whoever asks about her or rings for her: nothing is written, and nothing is said to ring."""
    fold = Fold({ADA: Stored(state=ProfileState())}, PLANS)

    for rung in (True, False):
        fold.passed(ADA, 1_000, rung=rung)

    effects = fold.effects({}, 7)
    assert (fold.rang, fold.alarms, list(effects.profiles())) == ([], {}, [])


def test_of_who_is_deleted_nothing_waits_and_nothing_rings() -> None:
    """She leaves where she stood, once; what was to be folded anew of her is not, nor her alarm."""
    fold = Fold({ADA: _known()}, PLANS)

    fold.depart(ADA, Deleted(deletion_id="d1", at=10), {"s": 5})
    fold.depart(ADA, Deleted(deletion_id="d2", at=11), {})
    fold.passed(ADA, 1_000, rung=True)
    fold.close(ADA)

    told = [one.record for one in fold.told]
    left = [one for one in told if isinstance(one, Transition)]
    assert [(one.segment, one.change, one.effective_at) for one in left] == [("s", Change.LEFT, 10)]
    assert len(told) == 3
    assert waiting_rebuilds(fold.stored[ADA]) == []
    assert fold.rang == []
    effects = fold.effects({}, 7)
    assert ([one.deletion_id for one in effects.departures], effects.states) == (["d1", "d2"], [])


def test_a_profile_that_parted_is_nobody_from_then_on() -> None:
    """It is gone whole, and its alarm leaves no trace."""
    fold = Fold({ADA: _known()}, PLANS)

    fold.parted(ADA, "bea", 10)
    fold.passed(ADA, 1_000, rung=True)
    fold.close(ADA)

    stored = fold.stored[ADA]
    assert (stored.state, stored.due_at, stored.fill) == (ProfileState(), None, None)
    assert waiting_rebuilds(stored) == []
    effects = fold.effects({}, 7)
    assert (fold.rang, effects.states, effects.gone) == ([], [], [ADA])
