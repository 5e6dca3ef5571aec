"""How far ahead the queue is filled, and what is left to the truth."""

from __future__ import annotations

import pytest
from hairspring.timers.horizon import Horizon

NOW = 1_000_000


def filled(length: int = 100) -> Horizon:
    """A horizon whose shard 0 was read up to it at NOW."""
    horizon = Horizon(length)
    horizon.keep({0: 1})
    _, end = horizon.begin(0, NOW)
    horizon.done(0, end)
    return horizon


def test_the_border_lies_on_one_side() -> None:
    """What is due just before the border is admitted, what is due at it is read next time."""
    horizon = filled(100)
    assert horizon.admits(0, NOW + 99)
    assert not horizon.admits(0, NOW + 100)
    assert horizon.begin(0, NOW + 50) == (NOW + 100, NOW + 150)


def test_what_comes_while_reading_is_admitted() -> None:
    """From the moment a reading begins, timers up to its end are admitted: it may miss them."""
    horizon = filled(100)
    horizon.begin(0, NOW + 60)
    assert horizon.admits(0, NOW + 159)
    assert not horizon.admits(0, NOW + 160)


def test_a_reading_that_failed_is_done_again() -> None:
    """Unless a reading is done, the next one begins where it began."""
    horizon = filled(100)
    horizon.begin(0, NOW + 60)
    assert horizon.begin(0, NOW + 70) == (NOW + 100, NOW + 170)


def test_half_of_the_length_is_kept_in_hand() -> None:
    """A shard wants reading once less than half of the length is left, the nearest first."""
    horizon = filled(100)
    assert horizon.wanting(NOW + 49) == []
    assert horizon.wanting(NOW + 50) == [0]
    horizon.keep({0: 1, 1: 1})
    assert horizon.wanting(NOW) == [1]
    assert horizon.wanting(NOW + 50) == [1, 0]


def test_nothing_is_known_of_a_new_shard() -> None:
    """Before its first reading everything is admitted, and it is read from the beginning."""
    horizon = Horizon(100)
    horizon.keep({7: 3})
    assert horizon.admits(7, NOW * NOW)
    assert horizon.begin(7, NOW) == (0, NOW + 100)


def test_another_epoch_begins_anew() -> None:
    """What was read under an older epoch may have been lost under another owner since."""
    horizon = filled()
    horizon.keep({0: 2})
    assert horizon.wanting(NOW) == [0]
    assert horizon.begin(0, NOW) == (0, NOW + 100)


def test_a_lost_shard_is_read_from_the_beginning() -> None:
    """After a loss everything up to the horizon is read."""
    horizon = filled()
    horizon.lost(0)
    assert horizon.begin(0, NOW + 10) == (0, NOW + 110)


def test_a_clock_that_goes_back_admits_no_less() -> None:
    """What was admitted stays so, and nothing is read twice for it."""
    horizon = filled(100)
    assert horizon.begin(0, NOW - 900) == (NOW + 100, NOW + 100)
    assert horizon.admits(0, NOW + 99)


def test_a_horizon_has_a_length() -> None:
    """No horizon is shorter than what can be halved."""
    with pytest.raises(ValueError, match="2 ms long"):
        Horizon(1)
