"""How a command prints: a table at a terminal, JSON lines in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import click
import orjson

if TYPE_CHECKING:
    from rich.console import Console

Format = Literal["table", "jsonl"]

_WIDTH_OF_A_FILE = 160


P = ParamSpec("P")
R = TypeVar("R")


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


def printable(text: str) -> str:
    """Replace control characters: what people send must not move the cursor of those who look."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else "�" for one in text)


def say(text: str) -> None:
    """Tell people something beside the output: on the standard error."""
    click.echo(text, err=True)
