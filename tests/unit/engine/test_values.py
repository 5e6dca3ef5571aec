"""Groups, numbers and texts."""

from __future__ import annotations

import pytest
from hairspring.engine.values import group_of, number_of, text_of


@pytest.mark.parametrize(
    ("value", "group"),
    [
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (2.5, "2.5"),
        (2**63, "9223372036854775808"),
        (2.0**63, "9223372036854775808"),
        (1e300, group_of(10**300)),
        (True, "true"),
        ("1", '"1"'),
        ("é", '"é"'),
    ],
)
def test_equal_values_name_one_group(value: object, group: str) -> None:
    """Equal as in JSON: numbers by what they are, and true is not 1."""
    assert group == group_of(value)


@pytest.mark.parametrize("value", [None, [], [1], {}, float("nan"), float("inf"), 10**400])
def test_what_is_no_text_number_or_boolean_names_no_group(value: object) -> None:
    """Nothing, lists, mappings, and what JSON has no number for."""
    assert group_of(value) is None


def test_values_of_another_type_are_none() -> None:
    """A boolean is no number, a number is no text."""
    assert [number_of(v) for v in (1, 0.5, True, "1", 10**400)] == [1.0, 0.5, None, None, None]
    assert [text_of(v) for v in ("1", 1, True)] == ["1", None, None]
