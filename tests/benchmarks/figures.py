"""What a benchmark answers: figures, each with how it came about and what to hold it against."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the benchmarks are; the defaults are what the goals speak of."""

    events: int = 2_000_000
    profiles: int = 100_000
    steps: int = 50_000  #: How many times a small thing is done in a round.
    rounds: int = 3
    pipeline_events: int = 200_000  #: How many the pipeline is given at once.
    pipeline_seconds: float = 20.0  #: How long it is kept busy.
    timers: int = 100_000  #: How many the delay queue is given in a round.
    timers_seconds: float = 5.0  #: How long they come due.
    timers_pending: int = 10_000_000  #: How many lie in it meanwhile.
    peers: bool = True  #: Whether other delay queues are installed and measured.


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured quantity; `values` has one for each round."""

    name: str
    unit: str
    values: tuple[float, ...]
    command: str  #: What does this again.
    goal: str = ""
    ratio: str = ""  #: To what was measured beside it in the same rounds.
    note: str = ""

    @property
    def median(self) -> float:
        """The figure."""
        return statistics.median(self.values)

    def as_json(self) -> dict[str, Any]:
        """As it is written to the file."""
        return {**asdict(self), "median": self.median}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured, and how busy that was with other things just before."""

    cores: int
    processor: str
    python: str
    system: str
    load: float


def machine() -> Machine:
    """Describe this machine."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        processor=_processor(),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        load=round(os.getloadavg()[0], 2),
    )


def microseconds(work: Callable[[], int]) -> float:
    """Time one round of something small; it answers how many times it did it.

    In time of this process, since what others take of a core does not count.
    """
    began = time.process_time()
    count = work()
    return (time.process_time() - began) / count * 1e6


def ratio(values: tuple[float, ...], others: tuple[float, ...]) -> float:
    """The median of the rounds' ratios, so that a busy round counts on both sides."""
    return statistics.median(a / b for a, b in zip(values, others, strict=True))


def _processor() -> str:
    with open("/proc/cpuinfo") as told:
        for line in told:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()
