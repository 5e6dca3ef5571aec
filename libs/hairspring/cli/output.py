"""What a command prints: tables for people, JSON lines for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import click
import orjson

if TYPE_CHECKING:
    from rich.console import Console

Format = Literal["table", "jsonl"]

_ROWS_AT_ONCE = 500
_WIDTH_OF_A_FILE = 160
_WIDEST_KEPT = 24


P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    title: str
    style: str = ""
    right: bool = False


def format_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--format`, which is a table at a terminal and JSON lines in a pipe."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(["table", "jsonl"]),
        callback=lambda context, parameter, value: value or default_format(),
        help="How to print. Default: table at a terminal, jsonl in a pipe.",
    )(command)


def text_format_option(
    *, piped: Literal["text", "jsonl"]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Add `--format` for output that is no table: text at a terminal, `piped` in a pipe."""

    def chosen(value: str | None) -> str:
        return value or ("text" if sys.stdout.isatty() else piped)

    either = "" if piped == "text" else " at a terminal, jsonl in a pipe"
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(["text", "jsonl"]),
        callback=lambda context, parameter, value: chosen(value),
        help=f"How to print. Default: text{either}.",
    )


def default_format() -> Format:
    """Choose by where the output goes."""
    return "table" if sys.stdout.isatty() else "jsonl"


def console(*, error: bool = False) -> Console:
    """Make a console for rich output; wide enough for whole rows where it is no terminal."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_A_FILE
    return Console(stderr=error, width=width, highlight=False, soft_wrap=False)


def write_line(line: Any) -> None:
    """Write one JSON line; the caller flushes where somebody waits for it."""
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")


def say(text: str) -> None:
    """Tell people something beside the output: on the standard error."""
    click.echo(text, err=True)


class Sheet:
    """Rows, printed as they come: as JSON lines at once, as a table in portions.

    The columns get their widths from the first portion; later ones keep to them.
    """

    def __init__(self, output_format: str, columns: Sequence[Column], *, empty: str) -> None:
        self._table = output_format == "table"
        self._columns = columns
        self._empty = empty
        self._rows: list[Sequence[str]] = []
        self._widths: list[int] | None = None

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
        if error is None and self._table and self._widths is None:
            say(self._empty)

    def _print(self, rows: Sequence[Sequence[str]]) -> None:
        from rich.table import Table

        first = self._widths is None
        if self._widths is None:
            self._widths = [
                max(len(column.title), *(len(row[number]) for row in rows))
                for number, column in enumerate(self._columns)
            ]
        table = Table(box=None, show_header=first, header_style="dim", pad_edge=False)
        table.padding = (0, 2, 0, 0)
        for column, width in zip(self._columns, self._widths, strict=True):
            table.add_column(
                column.title,
                style=column.style,
                justify="right" if column.right else "left",
                min_width=min(width, _WIDEST_KEPT),
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(_cell(text) for text in row))
        console().print(table)


def _cell(text: str) -> Any:
    from rich.text import Text

    return Text(text, style=_STYLES.get(text, ""))


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
