"""Dates, zones and anniversaries."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hairspring.engine import calendar
from hairspring.engine.conditions import Anniversary
from hairspring.engine.verdict import Verdict

from tests.unit.engine.histories import identify, lived

DAY = 86_400_000


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("1970-01-02", DAY),
        ("1970-01-01T00:00:01", 1000),
        ("1970-01-01T02:00:00.250+02:00", 250),
        ("soon", None),
        ("1970-13-01", None),
        (86400, None),
    ],
)
def test_moments_are_read(value: object, moment: int | None) -> None:
    """Dates begin at midnight, UTC where no zone is named; what is none is None."""
    assert moment == calendar.moment(value)


@pytest.mark.parametrize(
    ("day", "year", "zone", "midnight"),
    [
        ((5, 1), 2024, "UTC", "2024-05-01T00:00"),
        ((5, 1), 2024, "Europe/Berlin", "2024-04-30T22:00"),
        ((2, 29), 2024, "UTC", "2024-02-29T00:00"),
        ((2, 29), 2025, "UTC", "2025-02-28T00:00"),
        ((10, 15), 2017, "America/Sao_Paulo", "2017-10-15T03:00"),  # 00:00 is left out
        ((3, 26), 2017, "Asia/Beirut", "2017-03-25T22:00"),  # so it is here
        ((11, 5), 2017, "America/Havana", "2017-11-05T04:00"),  # 00:00 comes twice
        ((12, 30), 2011, "Pacific/Apia", "2011-12-30T10:00"),  # the whole day is left out
    ],
)
def test_days_begin_at_local_midnight(
    day: tuple[int, int], year: int, zone: str, midnight: str
) -> None:
    """Also where the clocks change at midnight, and in years without a 29 February."""
    assert at(midnight) in calendar.anniversaries(day, zone, at(f"{year}-06-01T00:00"))


def test_an_anniversary_comes_every_year() -> None:
    """From three days before it to the end of it, in the zone of the profile."""
    birthday = Anniversary(trait="born", begin=-3 * DAY, end=DAY, timezone_trait="zone")
    profile = lived(birthday, identify(1, born="1990-01-02", zone="Asia/Tokyo"))
    turn = at("2025-12-29T15:00")

    assert Verdict(False, turn) == birthday.verdict(profile, turn - 1)
    assert Verdict(True, turn + 4 * DAY) == birthday.verdict(profile, turn)
    assert not birthday.verdict(profile, turn + 4 * DAY).holds
