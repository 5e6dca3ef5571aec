"""Traits, tags, and the conditions on them."""

from __future__ import annotations

from collections.abc import Mapping

from hairspring.engine.conditions import Date, Traits
from hairspring.engine.events import Event, EventKind
from hairspring.engine.state import ProfileState
from hairspring.engine.traits import merge
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import Plan, event, fold, identify, lines, lived, segment


def tags(time: int, *names: str, off: bool = False, order: int = 0) -> Event:
    kind = EventKind.REMOVE_TAGS if off else EventKind.ADD_TAGS
    return Event("", time, order or time, 999, kind=kind, properties={"tags": list(names)})


def merged(*events: Event) -> Mapping[str, object]:
    state = ProfileState()
    for one in events:
        merge(state, one)
    return state.current_traits()


def test_the_last_setting_by_event_time_counts() -> None:
    """For each trait apart, whatever arrived last; null unsets it."""
    assert merged(identify(5, plan="new"), identify(3, plan="old", name="Ada")) == {
        "plan": "new",
        "name": "Ada",
    }
    assert merged(identify(3, plan="old"), identify(5, plan=None), identify(4, plan="mid")) == {}


def test_tags_are_told_apart() -> None:
    """The last call by event time counts for each tag, so two services undo nothing."""
    assert merged(tags(5, "vip"), tags(3, "vip", off=True), tags(4, "new")) == {
        "tags": ["new", "vip"]
    }
    assert merged(tags(5, "vip", "new"), tags(5, "vip", off=True, order=6)) == {"tags": ["new"]}


def test_computed_traits_are_kept_together() -> None:
    """Traits with the prefix `predictions.` are read as `traits.predictions`."""
    given = identify(1, **{"predictions.churn": 0.9, "plan": "gold"})

    assert merged(given) == {"plan": "gold", "predictions": {"churn": 0.9}}


def test_an_expression_is_asked_anew_when_traits_change() -> None:
    """The change of traits is the cause."""
    gold = Traits(
        text="traits.plan == 'gold'",
        predicate=lambda traits: traits.get("plan") == "gold",
        unset=lambda traits: () if "plan" in traits else ("traits.plan",),
    )
    plan = Plan([segment(gold, "gold")])
    given = [event("Add", 1), identify(2, plan="gold"), identify(3, plan=None)]

    found = fold(plan, *given)

    assert lines(found.records) == ["2 entered gold by identify@2", "3 left gold by identify@3"]
    assert gold.finding(found.state, 3).detail == "not set: traits.plan"


def test_a_date_holds_between_its_ends() -> None:
    """From `trait + from` on, and at `trait + until` no more."""
    trial = Date(trait="trial", begin=-10, end=20)
    profile = lived(trial, identify(1, trial="1970-01-01T00:00:00.100Z"))

    assert Verdict(False, 90) == trial.verdict(profile, 89)
    assert Verdict(True, 120) == trial.verdict(profile, 90)
    assert Verdict(False) == trial.verdict(profile, 120)


def test_an_unreadable_date_does_not_hold() -> None:
    """Nor does one that is not set; the finding says which."""
    trial = Date(trait="trial", begin=-(10**15), end=10**15)

    for value in ("soon", 7, None, True):
        assert Verdict(False) == trial.verdict(lived(trial, identify(1, trial=value)), 1)
    assert "trial" in trial.finding(lived(trial, identify(1)), 1).detail
