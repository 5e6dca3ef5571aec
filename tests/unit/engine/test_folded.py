"""What is left of values beyond the horizon."""

from __future__ import annotations

import math

import pytest
from hairspring.engine.conditions import Aggregate, All, Function, Threshold
from hairspring.engine.folded import exact_sum, grown
from hairspring.engine.values import Takes

from tests.unit.engine.histories import ADD, BUY, by, event, lived, valued


def aggregate(fn: Function, value: float, **more: object) -> Aggregate:
    takes = Takes.ANY if fn is Function.COUNT_DISTINCT else Takes.NUMBER
    return Aggregate(
        pattern=more.pop("pattern", valued(ADD, takes)),  # type: ignore[arg-type]
        fn=fn,
        limit=Threshold(operator="==", value=value),
        **more,  # type: ignore[arg-type]
    )


def test_a_sum_is_rounded_once() -> None:
    """Also where the way to it leads beyond the greatest double; infinite only in the end."""
    assert exact_sum([1e308, 0.1, 1e308, -1e308, 0.2, -1e308]) == 0.1 + 0.2
    assert math.inf == exact_sum([1e308, 1e308])
    assert -math.inf == exact_sum([-1e308, -1e308])


@pytest.mark.parametrize(
    "values", [(0.1, 0.2, 0.3), (1e16, 1.0, -1e16), (1e308, 1e308, -1e308, 0.1)]
)
def test_an_exact_sum_grows_value_by_value(values: tuple[float, ...]) -> None:
    """Nothing is lost on the way, whatever comes first."""
    partials: list[float] = []
    for value in values:
        partials = grown(partials, value)

    assert exact_sum(values) == exact_sum(partials)


@pytest.mark.parametrize(
    ("fn", "value"),
    [
        (Function.SUM, 10.0),
        (Function.AVG, 2.5),
        (Function.MIN, 1.0),
        (Function.MAX, 4.0),
        (Function.FIRST, 2.0),
        (Function.LAST, 1.0),
        (Function.COUNT_DISTINCT, 4.0),
    ],
)
def test_values_beyond_the_horizon_still_count(fn: Function, value: float) -> None:
    """Their events are forgotten, and the answer is as if they were not."""
    condition = aggregate(fn, value)
    events = [event("Add", time, value=v) for time, v in ((1, 2), (2, 4), (3, 3), (900, 1))]
    profile = lived(condition, *events, horizon=100)

    assert profile.run(condition.pattern.key).times == [900]
    assert condition.verdict(profile, 900).holds


def test_aggregates_that_fold_in_different_ways_do_not_share() -> None:
    """The greatest and the sum of the same values are both right beyond the horizon."""
    both = All((aggregate(Function.MAX, 4.0), aggregate(Function.SUM, 7.0)))
    events = [event("Add", 1, value=3), event("Add", 2, value=4), event("Add", 900, value=0)]

    assert both.verdict(lived(both, *events, horizon=100), 900).holds


def test_what_since_has_cut_off_is_gone_from_the_sum() -> None:
    """Also when the `since` event comes long after the values were folded."""
    condition = aggregate(Function.SUM, 5.0, since=BUY)
    events = [event("Add", 1, value=3), event("Add", 900, value=4), event("Buy", 950)]
    profile = lived(condition, *events, event("Add", 960, value=5), horizon=100)

    assert condition.verdict(profile, 960).holds
    assert profile.folded.get(condition.pattern.key, {}) == {}


def test_each_group_is_folded_apart() -> None:
    """A group whose events are all forgotten is still judged by its values."""
    condition = aggregate(Function.SUM, 7.0, pattern=valued(by("Add")))
    events = [event("Add", 1, cart="a", value=3), event("Add", 2, cart="a", value=4)]
    profile = lived(condition, *events, event("Add", 900, cart="b", value=7.5), horizon=100)

    assert condition.finding(profile, 900).groups == ('"a"',)
