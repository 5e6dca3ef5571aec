"""Tables that fit a terminal."""

from __future__ import annotations

import pytest
from hairspring.cli.sheet import Column, Sheet, fit

COLUMNS = (
    Column(title="time"),
    Column(title="profile"),
    Column(title="cause", detail=True),
)
ROWS = [
    ["2026-05-01 10:00:00.000", "ada", "Order Completed"],
    ["2026-05-01 11:00:00.000", "bo", "time passed"],
]


def test_what_fits_is_shown_as_it_is() -> None:
    """Rows for which there is room keep their dates, and every column its place."""
    shape = fit(COLUMNS, ROWS, 49)
    assert (shape.date, shape.below) == (None, ())
    assert shape.widths == {0: 23, 1: 7, 2: 15}


def test_a_date_that_is_everywhere_the_same_is_said_once() -> None:
    """With less room the common date goes to the title, and the rows show the time of day."""
    shape = fit(COLUMNS, ROWS, 48)
    assert (shape.date, shape.below) == ("2026-05-01", ())
    assert shape.widths == {0: 12, 1: 7, 2: 15}


def test_dates_that_differ_are_kept() -> None:
    """Moments of several days keep their dates, however narrow it is."""
    rows = [*ROWS, ["2026-05-02 10:00:00.000", "cy", "time passed"]]
    assert fit(COLUMNS, rows, 40).date is None


def test_a_date_without_a_title_to_say_it_is_kept() -> None:
    """Moments that do not begin the rows keep their dates: there is nowhere else to say them."""
    rows = [[profile, time, cause] for time, profile, cause in ROWS]
    assert fit(COLUMNS, rows, 40).date is None


def test_details_go_below() -> None:
    """With still less room the details leave the row."""
    shape = fit(COLUMNS, ROWS, 30)
    assert (shape.below, shape.widths) == ((2,), {0: 12, 1: 7})


def test_the_widest_columns_are_folded_last() -> None:
    """What is too long even so is folded, and nothing becomes narrower than can be read."""
    rows = [["2026-05-01 10:00:00.000", "p" * 60, "x"]]
    assert fit(COLUMNS, rows, 40).widths == {0: 12, 1: 26}
    assert fit(COLUMNS, rows, 5).widths == {0: 8, 1: 8}


@pytest.mark.parametrize("width", [24, 40, 44, 80, 160])
def test_nothing_is_left_out(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the width, all that the rows say is printed, within the width."""
    monkeypatch.setenv("COLUMNS", str(width))
    with Sheet("table", COLUMNS, empty="Nothing.") as sheet:
        for row in ROWS:
            sheet.add({}, row)
    said = capsys.readouterr().out
    assert max(len(line) for line in said.splitlines()) <= width
    printed = "".join(said.split())
    for text in ("2026-05-01", "10:00:00.000", "11:00:00.000", "ada", "bo", "OrderCompleted"):
        assert text in printed


def test_nothing_that_was_sent_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters in what people have sent are shown as such."""
    with Sheet("table", COLUMNS, empty="Nothing.") as sheet:
        sheet.add({}, ["now", "a\x1b[2Jda", "x"])
    assert "\x1b" not in (said := capsys.readouterr().out)
    assert "a�[2Jda" in said
