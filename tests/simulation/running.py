"""Runs a seed's world from its beginning to its end."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from tests.simulation.loop import VirtualLoop
from tests.simulation.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a seed: `trace` is the same for two runs that were the same."""

    seed: int
    trace: int
    steps: int
    events: int
    records: int
    mails: int
    faults: int
    seconds: float


def run(
    seed: int,
    twist: Callable[[World], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Outcome:
    """Run one seed. Raises Broken, or whatever else went wrong, with the seed in its notes.

    `tell` is given all that happens, line by line.
    """
    world = World(seed, twist)
    world.loop.tell = tell
    with _logging(world.loop):
        try:
            world.loop.run_until_complete(world.loop.create_task(world.live()))
            outcome = Outcome(
                seed=seed,
                trace=world.loop.trace,
                steps=world.loop.steps,
                events=world.size.events,
                records=len(world.told._records),
                mails=len(world.mail.came),
                faults=world.faults,
                seconds=world.loop.time(),
            )
        except BaseException as error:
            error.add_note(f"{world.size}\nrerun it: make simulate FROM={seed} SEEDS=1")
            raise
        finally:
            world.weather.clear()
            world.loop.unwind()
            world.loop.close()
    return outcome


@contextmanager
def _logging(loop: VirtualLoop) -> Iterator[None]:
    """Lines of the log go to `loop.tell`; and no garbage is collected at moments of its own."""

    def told(logger: Any, level: str, line: Any) -> Any:
        what = " ".join(str(value) for value in line.values())
        assert loop.tell is not None, "quiet worlds drop lines before"
        loop.tell(f"{loop.where()} {level}: {what}")
        raise structlog.DropEvent

    before = structlog.get_config()
    least = 50 if loop.tell is None else 10
    structlog.configure(
        processors=[structlog.processors.format_exc_info, told],
        wrapper_class=structlog.make_filtering_bound_logger(least),
    )
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        structlog.configure(**before)
        if collecting:
            gc.enable()
