"""`aggregate`."""

from __future__ import annotations

import pytest
from hairspring.engine.conditions import Aggregate, Function, Threshold
from hairspring.engine.events import Event
from hairspring.engine.values import Takes
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import ADD, BUY, by, event, lived, valued


def aggregate(fn: str, operator: str, value: float | str, **more: object) -> Aggregate:
    takes = Takes.TEXT if isinstance(value, str) else Takes.NUMBER
    return Aggregate(
        pattern=valued(ADD, Takes.ANY if fn == "count_distinct" else takes),
        fn=Function(fn),
        limit=Threshold(operator=operator, value=value),
        **more,  # type: ignore[arg-type]
    )


def values(*given: object) -> list[Event]:
    return [event("Add", time, value=value) for time, value in enumerate(given, 1)]


@pytest.mark.parametrize(
    ("fn", "value"),
    [("sum", 6.0), ("avg", 2.0), ("min", -1.0), ("max", 4.0), ("first", 3.0), ("last", 4.0)],
)
def test_it_compares_what_it_makes_of_numbers(fn: str, value: float) -> None:
    """Values that are missing or no numbers are left out."""
    condition = aggregate(fn, "==", value)
    profile = lived(condition, *values(3, "many", -1.0, None, True, 4))

    assert condition.verdict(profile, 6).holds


def test_ends_may_be_texts() -> None:
    """Numbers are left out then."""
    condition = aggregate("last", "==", "gold")

    assert condition.verdict(lived(condition, *values("iron", "gold", 3)), 3).holds


def test_distinct_values_are_equal_as_in_json() -> None:
    """1 and 1.0 are one value; "1" and true are others."""
    condition = aggregate("count_distinct", "==", 3.0)

    assert condition.verdict(lived(condition, *values(1, 1.0, "1", True, [1])), 5).holds


@pytest.mark.parametrize("order", [(0.1, 1e16, 0.2, -1e16), (1e16, -1e16, 0.2, 0.1)])
def test_the_order_of_a_sum_does_not_matter(order: tuple[float, ...]) -> None:
    """Sums are rounded once, at the end."""
    condition = aggregate("sum", "==", 0.1 + 0.2)

    assert condition.verdict(lived(condition, *values(*order)), 4).holds
    huge = (1e308, 1e308, -1e308, -1e308)
    assert condition.verdict(lived(condition, *values(*huge, *order)), 8).holds


def test_no_values_are_nothing_but_a_sum_and_a_count() -> None:
    """Over no values `sum` and `count_distinct` are 0, the others do not hold."""
    holding = [
        fn.value
        for fn in Function
        for condition in [aggregate(fn.value, "<", 1.0)]
        if condition.verdict(lived(condition, event("Go", 1)), 1).holds
    ]
    assert holding == ["sum", "count_distinct"]


def test_a_value_leaves_the_window_exactly_its_length_after_it_happened() -> None:
    """It says which leaving turns the answer."""
    condition = aggregate("sum", ">=", 5.0, within=100)
    profile = lived(condition, *values(1, 2, 3))

    assert Verdict(True, 102) == condition.verdict(profile, 101)
    assert Verdict(False) == condition.verdict(profile, 102)


def test_since_starts_anew() -> None:
    """Values before the last `since` event do not count."""
    condition = aggregate("sum", ">=", 5.0, since=BUY)
    profile = lived(condition, *values(4, 4), event("Buy", 3), event("Add", 4, value=4))

    assert not condition.verdict(profile, 4).holds
    assert condition.finding(profile, 4).events == ((4, 4),)


def test_a_group_is_judged_only_while_it_has_a_value() -> None:
    """The sum of nothing is 0 for a profile, and no answer for a group."""
    condition = Aggregate(
        pattern=valued(by("Add")),
        fn=Function.SUM,
        limit=Threshold(operator="<", value=5.0),
        within=100,
    )
    profile = lived(condition, event("Add", 0, cart=1, value=9), event("Add", 10, cart=2, value=4))

    assert condition.finding(profile, 10).groups == ("2",)
    assert Verdict(True, 110) == condition.verdict(profile, 109)
    assert not condition.verdict(profile, 110).holds
