"""How many cases the properties try.

By default 60 each from Hypothesis, which shrinks what fails, and 200 from plain random numbers,
which cost less: a few seconds. With `HAIRSPRING_PROPERTIES=deep` 200,000 of the latter (or as many
as it says, from `HAIRSPRING_FIRST_SEED` on); what fails there names its seed, and `HAIRSPRING_SEED`
tries that one alone.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DEEP = 200_000
SHRINKABLE = 60
FAST = 200

Property = Callable[[Random], None]


def property_test(check: Property) -> Callable[[], None]:
    """Makes a test of a property of whatever the `Random` that it is given leads to."""

    @settings(
        max_examples=SHRINKABLE,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def shrinkable(random: Random) -> None:
        check(random)

    @functools.wraps(check)
    def test() -> None:
        seed = os.environ.get("HAIRSPRING_SEED")
        if seed is not None:
            check(Random(int(seed)))
            return
        shrinkable()
        first = int(os.environ.get("HAIRSPRING_FIRST_SEED", "0"))
        for number in range(first, first + _deep_cases()):
            try:
                check(Random(number))
            except BaseException as error:
                error.add_note(f"try it alone: HAIRSPRING_SEED={number}")
                raise

    del test.__wrapped__  # type: ignore[attr-defined]  # pytest would ask for a fixture `random`
    return test


def _deep_cases() -> int:
    asked = os.environ.get("HAIRSPRING_PROPERTIES", "")
    return DEEP if asked == "deep" else int(asked or FAST)
