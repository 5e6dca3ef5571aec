"""Rows as they come: JSON lines at once, or a table that fits the terminal, in portions."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hairspring.cli.output import console, printable, say, write_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_ROWS_AT_ONCE = 500
_GAP = 2
_NARROWEST = 8
_MOMENT = re.compile(r"(?P<date>\d{4}-\d\d-\d\d) (?P<time>\d\d:\d\d:\d\d\.\d{3})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    title: str
    style: str = ""
    right: bool = False
    detail: bool = False
    """Where a row is too long for the terminal, this goes to a line of its own below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the columns fit a terminal: what is shown of moments, which share a row, how wide."""

    date: str | None
    """The date that all moments have, if it is said once, in the title."""
    below: tuple[int, ...]
    """The columns that go to a line of their own."""
    widths: dict[int, int]
    """The others, and the width of each."""


def fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> Shape:
    """Choose how to show rows in `width` cells; nothing of what they say is left out.

    As they are, if there is room; else a date that is everywhere the same is said in the title;
    else details go below; else the widest columns are folded.
    """
    everything = tuple(range(len(columns)))
    natural = {number: _natural(columns, rows, number) for number in everything}
    plain = Shape(date=None, below=(), widths=natural)
    if _total(natural) <= width:
        return plain
    date = _common_date(rows)
    if date is not None:
        rows = [[_dateless(cell, date) for cell in row] for row in rows]
        natural = {number: _natural(columns, rows, number) for number in everything}
        if _total(natural) <= width:
            return Shape(date=date, below=(), widths=natural)
    below = tuple(number for number in everything if columns[number].detail)
    kept = {number: natural[number] for number in everything if number not in below}
    while _total(kept) > width:
        widest = max(kept, key=lambda number: kept[number])
        if kept[widest] <= _NARROWEST:
            break
        kept[widest] -= 1
    return Shape(date=date, below=below, widths=kept)


class Sheet:
    """Rows, printed as they come: as JSON lines at once, as a table in portions.

    The columns get their shape from the first portion; later ones keep to it.
    """

    def __init__(self, output_format: str, columns: Sequence[Column], *, empty: str) -> None:
        self._table = output_format == "table"
        self._columns = columns
        self._empty = empty
        self._rows: list[Sequence[str]] = []
        self._shape: Shape | None = None

    def add(self, line: Any, cells: Sequence[str]) -> None:
        """Print a row, given as a JSON line and as the cells of a table."""
        if not self._table:
            write_line(line)
            return
        self._rows.append(cells)
        if len(self._rows) >= _ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Print what has been added so far."""
        if self._rows:
            self._print(self._rows)
            self._rows = []
        sys.stdout.flush()

    def __enter__(self) -> Sheet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Print the rest; where there was no row at all, say so."""
        if isinstance(error, BrokenPipeError):
            return
        self.flush()
        if error is None and self._table and self._shape is None:
            say(self._empty)

    def _print(self, rows: Sequence[Sequence[str]]) -> None:
        out = console()
        header = self._shape is None
        if self._shape is None:
            self._shape = fit(self._columns, rows, out.width)
        portions = [[row] for row in rows] if self._shape.below else [rows]
        for portion in portions:
            for part in self._drawn(self._shape, portion, header):
                out.print(part)
            header = False

    def _drawn(
        self, shape: Shape, rows: Sequence[Sequence[str]], header: bool
    ) -> Iterator[RenderableType]:
        """Draw rows, and below the last of them its details."""
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=header, header_style="dim", pad_edge=False)
        table.padding = (0, _GAP, 0, 0)
        for number, width in shape.widths.items():
            column = self._columns[number]
            table.add_column(
                shape.date if shape.date is not None and number == 0 else column.title,
                style=column.style,
                justify="right" if column.right else "left",
                width=width,
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(_cell(row[number], shape.date) for number in shape.widths))
        yield table
        details = [
            Text.assemble((f"{self._columns[number].title} ", "dim"), _cell(text, shape.date))
            for number in shape.below
            if (text := rows[-1][number])
        ]
        if details:
            yield Padding(Text("  ").join(details), (0, 0, 0, _GAP))


def _natural(columns: Sequence[Column], rows: Sequence[Sequence[str]], number: int) -> int:
    from rich.cells import cell_len

    lines = [line for row in rows for line in row[number].splitlines()]
    return max(len(columns[number].title), *(cell_len(line) for line in lines or [""]))


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + _GAP * max(len(widths) - 1, 0)


def _common_date(rows: Sequence[Sequence[str]]) -> str | None:
    """Answer the date of all moments in the rows, if it is one and they begin the rows."""
    if not all(_MOMENT.match(row[0]) for row in rows):
        return None
    moments = [found for row in rows for cell in row if (found := _MOMENT.match(cell))]
    dates = {moment["date"] for moment in moments}
    return dates.pop() if len(dates) == 1 else None


def _dateless(text: str, date: str | None) -> str:
    found = _MOMENT.match(text)
    return found["time"] if found and found["date"] == date else text


def _cell(text: str, date: str | None) -> Text:
    from rich.text import Text

    return Text(printable(_dateless(text, date)), style=_STYLES.get(text, ""))


_STYLES = {
    "entered": "green",
    "left": "yellow",
    "added": "green",
    "changed": "yellow",
    "removed": "red",
    "unchanged": "dim",
    "sent": "green",
    "failed": "red",
    "unknown": "red",
    "skipped": "dim",
}
