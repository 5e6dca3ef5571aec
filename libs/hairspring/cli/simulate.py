"""`hairspring simulate`: judges a file of events with no service at all."""

from __future__ import annotations

import gc
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import orjson

from hairspring.cli import records, simulation, times
from hairspring.cli.output import format_option, say
from hairspring.cli.sheet import Sheet
from hairspring.definitions import BadDefinitions, durations, load_files
from hairspring.engine.plan import Plan

_TOLD = 10
_GARBAGE_AFTER = 100_000


@click.command()
@click.option(
    "-f",
    "--file",
    "places",
    multiple=True,
    required=True,
    metavar="DEFINITIONS",
    help="A file of definitions, or a directory of them; may be repeated.",
)
@click.argument("events", metavar="EVENTS|-")
@click.option("--until", metavar="TIME", help="Go on to this moment. Default: the last event's.")
@click.option("--as-accepted", is_flag=True, help="EVENTS is an exported log: judge it as it came.")
@click.option(
    "--horizon",
    default="90d",
    show_default=True,
    metavar="DURATION",
    help="How far back history is judged; matters with --as-accepted.",
)
@click.option(
    "--lateness",
    metavar="DURATION",
    help="How long a moment waits for late events; matters with --as-accepted. Default: 0.",
)
@format_option
def simulate(
    places: tuple[str, ...],
    events: str,
    until: str | None,
    as_accepted: bool,
    horizon: str,
    lateness: str | None,
    output_format: str,
) -> None:
    """Judge a file of events with no service at all.

    Gives the transitions that the same history has when it is imported, by time, profile and
    segment. EVENTS are JSON lines as for `import`.
    """
    end = None if until is None else _moment(until)
    plan = _plan(places)
    told = _Told()
    # What is made here is needed to the end, or gone at once: looking for garbage finds none.
    gc.set_threshold(_GARBAGE_AFTER)
    judge = partial(simulation.by_event_time, horizon=_duration("--horizon", horizon))
    if as_accepted:
        wait = 0 if lateness is None else _duration("--lateness", lateness)
        judge = partial(
            simulation.as_accepted, horizon=_duration("--horizon", horizon), lateness=wait
        )
    with (
        _as_file(events) as path,
        Sheet(output_format, records.COLUMNS, empty="No transitions.") as sheet,
    ):
        for line in judge(path, plan, told, until=end):
            if output_format == "jsonl":
                sys.stdout.buffer.write(line + b"\n")
            else:
                written = orjson.loads(line)
                sheet.add(written, records.cells(written))
    if told.count > _TOLD:
        say(f"and {told.count - _TOLD} more such lines")


def _plan(places: tuple[str, ...]) -> Plan:
    try:
        return load_files(places).plan()
    except BadDefinitions as error:
        for problem in error.problems:
            say(str(problem))
        raise click.ClickException("The definitions cannot be used.") from None


class _Told:
    """Tells the first lines that are not taken, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, number: int, what: str) -> None:
        self.count += 1
        if self.count <= _TOLD:
            say(f"line {number}: {what}")


@contextmanager
def _as_file(place: str) -> Iterator[Path]:
    """Give a file that can be read twice: the standard input is written to one first."""
    if place != "-":
        yield Path(place)
        return
    with tempfile.NamedTemporaryFile(prefix="hairspring-events-") as spool:
        shutil.copyfileobj(sys.stdin.buffer, spool)
        spool.flush()
        yield Path(spool.name)


def _duration(option: str, text: str) -> int:
    try:
        return durations.parse(text)
    except durations.BadDuration as error:
        raise click.UsageError(f"{option}: {error}.") from None


def _moment(text: str) -> int:
    parsed = times.parse(text)
    if parsed is None:
        raise click.UsageError(f"--until takes ISO 8601 such as 2026-05-01T12:00Z, not {text!r}.")
    return parsed.at
