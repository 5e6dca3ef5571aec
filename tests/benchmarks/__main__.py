"""Measures, tells what it is doing, writes a file of figures, and prints a table at the end.

make bench
python -m tests.benchmarks [--only engine,state] [--out FILE] [--rounds 3] [--events 2000000]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    engine,
    expressions,
    filling,
    handover,
    ingest,
    pipeline,
    simulating,
    state,
    storage,
    timers,
)
from tests.benchmarks.figures import Figure, Machine, Size, machine

BENCHMARKS = {
    "simulate": simulating.figures,
    "engine": engine.figures,
    "state": state.figures,
    "expressions": expressions.figures,
    "pipeline": pipeline.figures,
    "stored": pipeline.stored_figures,
    "ingest": ingest.figures,
    "ingest-stored": ingest.stored_figures,
    "handover": handover.figures,
    "filling": filling.figures,
    "timers": timers.figures,
    "storage": storage.figures,
}
#: Takes long, and is done only where it is asked for.
UNASKED = {"stored", "ingest-stored", "storage"}
DIRECTORY = Path("build/bench")
#: How many timers are pending in the quick form.
QUICK = 1_000_000


def measure(names: list[str], size: Size, directory: Path) -> list[Figure]:
    """Run benchmarks one after the other."""
    found: list[Figure] = []
    for name in names:
        for figure in BENCHMARKS[name](size, directory, partial(_say, f"{name}:")):
            _say(f"  {figure.name}: {written(figure.median)} {figure.unit}")
            found.append(figure)
    return found


def write(path: Path, found: list[Figure], where: Machine, size: Size) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": asdict(where),
        "size": asdict(size),
        "figures": [figure.as_json() for figure in found],
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def table(found: list[Figure], where: Machine) -> Table:
    """The figures for people."""
    title = f"{where.cores} cores of {where.processor}, Python {where.python}, load {where.load}"
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False)
    drawn.add_column("what")
    drawn.add_column("median", justify="right")
    drawn.add_column("unit")
    drawn.add_column("rounds", justify="right")
    drawn.add_column("goal")
    drawn.add_column("ratio")
    drawn.add_column("note")
    for figure in found:
        rounds = " ".join(written(value) for value in figure.values)
        median = written(figure.median)
        drawn.add_row(
            figure.name, median, figure.unit, rounds, figure.goal, figure.ratio, figure.note
        )
    return drawn


def written(value: float) -> str:
    """A number with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main(arguments: list[str]) -> None:
    """Measure what the arguments name."""
    given = _arguments(arguments)
    names = (
        given.only.split(",")
        if given.only
        else [name for name in BENCHMARKS if name not in UNASKED]
    )
    if unknown := [name for name in names if name not in BENCHMARKS]:
        sys.exit(f"There is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}.")
    size = Size(
        events=given.events,
        profiles=given.profiles,
        steps=given.steps,
        rounds=given.rounds,
        pipeline_events=given.pipeline_events,
        pipeline_seconds=given.pipeline_seconds,
        timers=given.timers,
        timers_seconds=given.timers_seconds,
        timers_pending=min(given.timers_pending, QUICK) if given.quick else given.timers_pending,
        peers=given.peers,
    )
    if given.alone:
        _come_first()
    where = machine()
    if where.load > 0.5:
        _say(f"The load of this machine is {where.load}: others are using it, so compare ratios.")
    found = measure(names, size, DIRECTORY)
    out = given.out or DIRECTORY / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    write(out, found, where, size)
    Console(width=None if sys.stdout.isatty() else 240).print(table(found, where))
    print(f"written to {out}")


def _arguments(arguments: list[str]) -> argparse.Namespace:
    usual = Size()
    parser = argparse.ArgumentParser(prog="make bench", description="Measures Hairspring.")
    parser.add_argument("--only", help=f"some of {', '.join(BENCHMARKS)}, with commas")
    parser.add_argument("--out", type=Path, help="the file to write; else one in build/bench")
    parser.add_argument("--events", type=int, default=usual.events, help="of the simulated file")
    parser.add_argument("--profiles", type=int, default=usual.profiles)
    parser.add_argument("--steps", type=int, default=usual.steps, help="a round of small things")
    parser.add_argument("--rounds", type=int, default=usual.rounds)
    parser.add_argument("--pipeline-events", type=int, default=usual.pipeline_events)
    parser.add_argument("--pipeline-seconds", type=float, default=usual.pipeline_seconds)
    parser.add_argument("--timers", type=int, default=usual.timers, help="of the delay queue")
    parser.add_argument("--timers-seconds", type=float, default=usual.timers_seconds)
    parser.add_argument("--timers-pending", type=int, default=usual.timers_pending)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} timers pending")
    parser.add_argument(
        "--no-peers", dest="peers", action="store_false", help="install no other delay queues"
    )
    parser.add_argument(
        "--alone",
        action="store_true",
        help="let everything else on this machine wait (SCHED_FIFO, for root): what is measured is"
        " as fast and as late as on a machine of its own",
    )
    return parser.parse_args(arguments)


def _come_first() -> None:
    """Have the kernel run this process and what it starts before all others."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        sys.exit("--alone needs the right to set the scheduler: run it as root, or leave it out.")


def _say(*texts: str) -> None:
    print(*texts, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
