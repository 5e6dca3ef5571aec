"""What a new segment that is being filled costs those that are in force.

The same even load twice: with nothing else to do, and while the history of every profile is folded
in for a segment that is new.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure, Size
from tests.benchmarks.pipeline import CALM_BATCH, CALM_RATE, following, quantile
from tests.benchmarks.pipeline_stage import Measured, Stage, stage
from tests.support.waiting import eventually

COMMAND = "python -m tests.benchmarks --only filling"
_NAME = "added-often"
_NEW = f"""
kind: Segment
name: {_NAME}
enter:
  performed: {{event: Product Added, times: ">= 2", within: 45d}}
"""
_LONGEST_SECONDS = 900.0
_LOAD_SECONDS = 5.0  #: The even load comes in stretches of so long, until the filling is done.


def figures(size: Size, directory: Path, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure transitions without and with a filling, and how long the filling takes."""
    where = directory / "filling"
    rounds: list[_Round] = []
    for number in range(size.rounds):
        say(f"round {number + 1} of {size.rounds}")
        shutil.rmtree(where, ignore_errors=True)
        try:
            rounds.append(asyncio.run(_round(size, where)))
        finally:
            shutil.rmtree(where, ignore_errors=True)
    for title, pick in (("nothing else to do", 0), ("a segment being filled", 1)):
        for share in (0.5, 0.99):
            yield Figure(
                name=f"{title}: accepted to a subscriber, p{share * 100:.0f}",
                unit="ms",
                values=tuple(quantile(one.late[pick], share) for one in rounds),
                goal="under 50" if pick and share > 0.9 else "",
                command=COMMAND,
                note=f"at {CALM_RATE:,} events/s, {len(rounds[0].late[pick]):,} transitions",
            )
        yield Figure(
            name=f"{title}: rule-evaluator",
            unit="% of a core",
            values=tuple(one.share(pick) for one in rounds),
            command=COMMAND,
        )
    yield Figure(
        name="profiles filled",
        unit="1/s",
        values=tuple(size.profiles / one.seconds for one in rounds),
        command=COMMAND,
        note=f"{size.profiles:,} profiles with {size.pipeline_events:,} events, beside the load",
    )


class _Round:
    """What one round found: first without, then with the filling."""

    def __init__(self) -> None:
        self.late: list[list[float]] = []
        self.measured: list[Measured] = []
        self.seconds = 0.0

    def share(self, pick: int) -> float:
        """What the evaluator took of a core."""
        one = self.measured[pick]
        return 100 * one.cpu["rule-evaluator"] / (one.ended - one.began)


async def _round(size: Size, directory: Path) -> _Round:
    found = _Round()
    async with stage(directory, profiles=size.profiles) as on:
        await on.load("--events", size.pipeline_events)
        await on.start(on.evaluators[0])
        await on.evaluated(0)
        await _evenly(on, size.pipeline_seconds, found)
        filling = asyncio.create_task(_fill(on))
        await _evenly(on, size.pipeline_seconds, found, until=filling)
        found.seconds = await filling
    return found


async def _fill(on: Stage) -> float:
    """Applies the new segment, and answers after how many seconds it is in force."""
    began = time.monotonic()
    await on.apply(_NEW, wait=False)

    async def is_done() -> bool:
        return not await on.is_filling(_NAME)

    await eventually(is_done, timeout=_LONGEST_SECONDS, every=1.0)
    return time.monotonic() - began


async def _evenly(
    on: Stage, seconds: float, found: _Round, *, until: asyncio.Task[float] | None = None
) -> None:
    """Sends evenly for so long, or until a task is done."""
    head = await on.head()
    async with on.measuring() as measured, following(on.evaluators[0].address) as late:
        measured.began, end = time.time(), time.monotonic() + seconds
        while not until.done() if until is not None else time.monotonic() < end:
            sent = await on.load(
                *("--seconds", min(seconds, _LOAD_SECONDS)),
                *("--rate", CALM_RATE, "--batch", CALM_BATCH),
            )
            measured.events += sent.events
        await on.evaluated(head)
    found.measured.append(measured)
    found.late.append(late)
