"""How a preview is drawn."""

from __future__ import annotations

import pytest
from hairspring.cli.previewed import as_text, sparkline
from hairspring.contracts.preview.v1 import preview_pb2 as pb


@pytest.mark.parametrize(
    ("counts", "width", "drawn"),
    [
        ([0, 1, 4, 8], 10, " ▁▄█"),
        ([0, 0], 10, "▁▁"),
        ([1, 1, 1, 1, 8, 8], 3, "▁▁█"),
        ([], 5, ""),
        ([1, 100], 9, "▁█"),
    ],
)
def test_a_sparkline_fits(counts: list[int], width: int, drawn: str) -> None:
    """Something is never drawn as nothing, and many days share a cell."""
    assert sparkline(counts, width) == drawn


def test_a_long_preview_fits_a_terminal() -> None:
    """Over more days than there are cells, no line is longer than the terminal."""
    days = [pb.PreviewDay(day=f"day {n}", entered=n * 1_000, left=n) for n in range(400)]
    found = pb.Preview(segment="carts", members=3, days=days)

    lines = as_text(found, 80).plain.splitlines()

    assert max(len(line) for line in lines) <= 80
    assert any(line.startswith("entered") and "most on a day 399000" in line for line in lines)
