"""Comparisons of a count."""

from __future__ import annotations

import pytest
from hairspring.engine.conditions.comparison import OPERATORS, Comparison


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("count", range(6))
def test_next_below_is_where_the_answer_turns(operator: str, number: int, count: int) -> None:
    """Counting down, the answer stays the same until exactly the count that is named."""
    comparison = Comparison(operator=operator, number=number)
    now = comparison.holds(count)

    turns = [smaller for smaller in range(count) if comparison.holds(smaller) != now]

    assert max(turns, default=None) == comparison.next_below(count)


def test_only_operators_of_the_language() -> None:
    """Anything else is refused, and a comparison reads as it is written."""
    with pytest.raises(ValueError, match="=>"):
        Comparison(operator="=>", number=1)
    assert str(Comparison(operator=">=", number=3)) == ">= 3"
