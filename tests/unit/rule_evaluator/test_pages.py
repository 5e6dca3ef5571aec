"""Page tokens: what was made here is read, and nothing else."""

from __future__ import annotations

import pytest
from hairspring.runtime.errors import InvalidInput
from hairspring.services.rule_evaluator.handlers.pages import make_token, read_position


def test_a_position_comes_back() -> None:
    """No token means the beginning."""
    assert read_position("") == 0
    assert read_position(make_token("41")) == 41


@pytest.mark.parametrize("said", ["-1", "x", "1.5", "²", "9" * 19])
def test_what_is_no_position_is_refused(said: str) -> None:
    """It would begin anew without a word, or go beyond what the log can hold."""
    with pytest.raises(InvalidInput, match="page_token"):
        read_position(make_token(said))
