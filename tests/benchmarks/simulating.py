"""`hairspring simulate` over a large file, as a person runs it: from the start of the command to
its end, reading the file counted, beside loops written by hand.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import shop
from tests.benchmarks.figures import Figure, Size, ratio

DEFINITION = """\
kind: Segment
name: cart-abandoners
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1h}
"""
_TITLES = {
    "simulate": ("simulate, one abandonment rule", "150,000 or more"),
    "one core": ("the same on one core", ""),
    "cart": ("that rule by hand: dict and heap", ""),
    "parse": ("orjson.loads of each line alone", ""),
    "lines": ("reading the lines alone", ""),
}
_HAIRSPRING = str(Path(sys.executable).parent / "hairspring")
_LIMITS = (sys.executable, "-m", "tests.benchmarks.limits")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run of a command: what it took, and how many transitions (or lines) it answered."""

    seconds: float
    cpu_seconds: float  #: Of all its processes.
    megabytes: float
    answer: int


def figures(size: Size, directory: Path, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure; the file is made where it is not there yet."""
    path = directory / f"shop-{size.events}-{size.profiles}.jsonl"
    definition = directory / "cart.yaml"
    directory.mkdir(parents=True, exist_ok=True)
    definition.write_text(DEFINITION)
    if not path.exists():
        say(f"writing {path}")
        shop.write(path, events=size.events, profiles=size.profiles)
    simulate = (_HAIRSPRING, "simulate", "-f", str(definition), str(path), "--format", "jsonl")
    commands: dict[str, tuple[str, ...]] = {
        "simulate": simulate,
        "one core": simulate,
        **{name: (*_LIMITS, name, str(path)) for name in ("cart", "parse", "lines")},
    }
    runs: dict[str, list[_Run]] = {name: [] for name in commands}
    for number in range(size.rounds):
        for name, command in commands.items():
            say(f"round {number + 1} of {size.rounds}: {name}")
            runs[name].append(_run(command, one_core=name == "one core"))
    _check(runs)
    yield from _told(size, runs, commands)


def _told(
    size: Size, runs: dict[str, list[_Run]], commands: dict[str, tuple[str, ...]]
) -> Iterator[Figure]:
    rates = {
        name: tuple(size.events / run.seconds for run in found) for name, found in runs.items()
    }
    for name, (title, goal) in _TITLES.items():
        yield Figure(
            name=title,
            unit="events/s",
            values=rates[name],
            goal=goal,
            command=" ".join(commands[name]),
            ratio=f"{ratio(rates[name], rates['cart']):.2f} of by hand",
            note=f"{size.events:,} events, {size.profiles:,} profiles",
        )
    for name, title in (("simulate", "simulate, cores"), ("cart", "that rule by hand, cores")):
        yield Figure(
            name=f"{title} times time",
            unit="µs/event",
            values=tuple(run.cpu_seconds / size.events * 1e6 for run in runs[name]),
            command=" ".join(commands[name]),
            note="what it takes of all cores together, however busy they are",
        )
    yield Figure(
        name="simulate, memory of its larger process",
        unit="MB",
        values=tuple(run.megabytes for run in runs["simulate"]),
        command=" ".join(commands["simulate"]),
        note=f"{size.profiles:,} profiles",
    )


def _check(runs: dict[str, list[_Run]]) -> None:
    """Fail where the loop by hand and the command do not agree: then neither means anything."""
    answers = {
        name: {run.answer for run in runs[name]} for name in ("simulate", "one core", "cart")
    }
    if len(set.union(*answers.values())) != 1:
        raise AssertionError(f"they do not agree on how many transitions there are: {answers}")


def _run(command: tuple[str, ...], *, one_core: bool = False) -> _Run:
    cores = os.sched_getaffinity(0)
    wanted = {min(cores)} if one_core else cores
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, wanted)
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {process.returncode}")
    return _Run(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        megabytes=usage.ru_maxrss / 1024,
        answer=said.count(b"\n") if command[0] == _HAIRSPRING else int(said),
    )
