"""Works out what a large deployment takes, from figures measured and from what is assumed.

    python deploy/sizing.py                                  # as in README.md
    python deploy/sizing.py --cells 128 --evaluator-us 40    # with other figures

Every figure is an option, so that it can be done again; the formulas are those of README.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

DAY = 86_400
PAGE = 8_192
FILLFACTOR = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is wanted, what was measured on 2 cores, and what nobody measured."""

    # wanted
    profiles: float = 1e9
    events: float = 1e6  #: a second
    cells: float = 64
    # measured, µs of a core for an event
    all_us: float = 103.0  #: with the load generator, after five minutes at full speed
    evaluator_us: float = 55.0
    ingest_us: float = 15.0
    lane_us: float = 8.0  #: under the lane's lock, repeats included
    # measured, of a timer
    schedule_us: float = 2.1  #: of Valkey
    claim_us: float = 3.6  #: of Valkey
    timer_bytes: float = 93.0
    # measured, bytes
    row: float = 1_719.0  #: of a profile with a state of `row_state`, indexes included
    row_state: float = 900.0
    log: float = 404.0
    repeat: float = 84.0
    record: float = 379.0  #: of what the evaluator tells
    wal: float = 685.0 + 1_222.0
    wal_page: float = 9_638.0 - 1_222.0  #: more, where a page is touched first after a checkpoint
    records: float = 0.064  #: that an event brings about
    filled: float = 530.0  #: profiles a second and cell, when a segment changes
    # assumed
    state: float = 1_600.0  #: of a profile with 200 remembered events
    alarms: float = 1.0  #: that an event sets, and that ring, at most
    near: float = 0.1  #: of the profiles have an alarm within the hours that Redis holds
    load: float = 0.5  #: of what could be done is done
    checkpoint: float = 900.0  #: seconds
    kept: float = 90.0  #: days of events, for explaining and for filling new segments


def lines(of: Figures) -> Iterator[tuple[str, str]]:
    """What comes out: a name, and a figure with its unit."""
    rate, profiles = of.events / of.cells, of.profiles / of.cells
    row = of.row + (of.state - of.row_state) / FILLFACTOR
    pages = profiles * row / PAGE
    touched = rate * of.checkpoint
    first = pages * -math.expm1(-touched / pages) / touched
    wal = of.wal + first * of.wal_page
    rest = of.all_us - of.evaluator_us - of.ingest_us
    yield "lanes at least", f"{of.events * of.lane_us / 1e6 / of.load:,.0f}"
    yield "cores in all", f"{of.events * of.all_us / 1e6 / of.load:,.0f}"
    yield "events a second, a cell", f"{rate:,.0f}"
    yield "profiles, a cell", f"{profiles / 1e6:,.1f} million"
    yield "lane's lock is held, a cell", f"{rate * of.lane_us / 1e6:.0%} of the time"
    yield "evaluators, a cell", f"{_whole(rate * of.evaluator_us / 1e6 / of.load)} processes"
    yield "ingest, a cell", f"{max(2, _whole(rate * of.ingest_us / 1e6 / of.load))} processes"
    yield "cores of Postgres and the rest, a cell", f"{rate * rest / 1e6 / of.load:.1f}"
    yield (
        "Valkey, a cell",
        f"{rate * of.alarms * (of.schedule_us + of.claim_us) / 1e6:.0%} of a core",
    )
    yield "timers in Valkey, a cell", f"{profiles * of.near * of.timer_bytes / 1e6:,.0f} MB"
    yield "the same if all are due soon", f"{profiles * of.timer_bytes / 1e6:,.0f} MB"
    yield "profiles on disk, a cell", f"{profiles * row / 1e9:,.0f} GB"
    yield "profiles on disk, in all", f"{of.profiles * row / 1e12:,.1f} TB"
    yield "updates that touch a page first", f"{first:.0%}"
    yield "write-ahead log, a cell", f"{rate * wal / 1e6:,.0f} MB/s"
    yield (
        "events and repeats a day, in all",
        f"{of.events * DAY * (of.log + of.repeat) / 1e12:,.0f} TB",
    )
    yield "records a second, in all", f"{of.events * of.records:,.0f}"
    yield "records a day, in all", f"{of.events * DAY * of.records * of.record / 1e12:,.1f} TB"
    yield (
        f"events of {of.kept:.0f} days, in all",
        f"{of.events * DAY * of.kept * of.log / 1e15:,.1f} PB",
    )
    yield f"events of {of.kept:.0f} days, a cell", f"{rate * DAY * of.kept * of.log / 1e12:,.0f} TB"
    yield "a changed segment is filled in", f"{profiles / of.filled / 3600:,.1f} hours"


def told(of: Figures) -> str:
    """The lines as a table of text."""
    found = [*lines(of)]
    width = max(len(name) for name, _ in found)
    return "\n".join(f"{name:<{width}}  {figure:>16}" for name, figure in found)


def _whole(count: float) -> int:
    return math.ceil(round(count, 9))


def main() -> None:
    """Tell it for the figures that the command line gives."""
    usual = Figures()
    parser = argparse.ArgumentParser(description="Works out what a deployment takes.")
    for one in fields(usual):
        name = f"--{one.name.replace('_', '-')}"
        parser.add_argument(name, type=float, default=getattr(usual, one.name))
    print(told(replace(usual, **vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
