"""Worlds from seeds: what must hold does in all of them, and would be missed if it did not.

`make simulate SEEDS=... FROM=...` runs many more. A seed that found something is kept in FOUND.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.architecture.imports import REPOSITORY
from tests.simulation.delivery_twists import DELIVERY_TWISTS
from tests.simulation.running import run
from tests.simulation.twists import TWISTS, Patch, Twist

SHORT_SECONDS = 4.0
FEWEST = 20

#: Where to look first for a seed that a twist breaks; the others are those of the first few.
LOOK_AT = {
    "no_sweep": 60,
    "no_fence": 41,
    "no_wait_for_own_effects": 21,
    "an_old_history": 453,
    "sent_again": 18,
    "read_anew": 33,
    "no_formers": 218,
    "formers_forgotten": 2,
}
MOST_LOOKED_AT = 400

#: Seeds that broke a world, with what it was. They hold for the draws of their day: where the
#: world draws otherwise, they are seeds as any.
FOUND = {
    0: "an evaluator ended for good when a term had failed, and kept its lease",
    5: "the same, after the answer to a commit was lost",
    30468: "a term did not end: a cancellation that came with a notice was lost",
    31321: "the same, amid kills",
    31682: "the same, in a process that was paused",
    26: "who was filled anew was folded by the history that was read for the fill before",
    43: "an alarm that nobody had set made a profile in a shard where it does not live",
    3010257: "a message stayed marked as being handed over: the commit of that got no answer",
    3100682: "an entry was let begin after one that a former id's start had held back: rightly so",
    3102976: "a run ended as if she had left: an answer knew of a merge before the log was read",
    3103864: "the same, with two runs",
    3104774: "a run waited for ever: to ask about a former id took two barriers in turn",
    8024943: "a lane was divided as all lanes were ended: it went on, and the others had nobody",
    8025849: "the same, while another call to Postgres was lost",
    3103878: "questions waited too long: an evaluator asked by its own clock, seconds ahead",
}


def test_worlds_hold() -> None:
    """As many new worlds as there is time for, each from a seed of its own."""
    end = time.monotonic() + SHORT_SECONDS
    seed = 100_000
    while seed < 100_000 + FEWEST or time.monotonic() < end:
        run(seed)
        seed += 1


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_stays_found(seed: int) -> None:
    """What once broke a world breaks it no more."""
    run(seed)


def test_a_seed_replays_exactly() -> None:
    """Two runs of a seed take the same steps, whatever else the process did before."""
    first = run(7)
    run(8)
    assert run(7) == first
    assert run(8).trace != first.trace


def test_a_seed_replays_in_another_process() -> None:
    """The order of sets, which differs from process to process, has no say in it."""
    said = {_told_elsewhere(7, hash_seed=number) for number in ("1", "2")}
    assert said == {repr(run(7))}


@pytest.fixture
def patch() -> Iterator[Patch]:
    """Replaces attributes until the end of the test."""
    with pytest.MonkeyPatch.context() as patches:

        def replace(owner: Any, name: str, value: Any) -> None:
            patches.setattr(owner, name, value)

        yield replace


@pytest.mark.parametrize("make", TWISTS + DELIVERY_TWISTS, ids=lambda make: make.__name__)
def test_a_mistake_is_noticed(patch: Patch, make: Any) -> None:
    """A world that is spoilt in one place breaks, with one of the first few hundred seeds."""
    twist = make(patch)
    seeds = [LOOK_AT.get(make.__name__, 0), *range(MOST_LOOKED_AT)]
    broken = next(filter(None, (_broken(seed, twist) for seed in seeds)), None)
    assert broken is not None
    assert "make simulate FROM=" in broken.__notes__[0]


def _broken(seed: int, twist: Twist) -> Exception | None:
    """How a world broke; which check notices is up to the seed."""
    try:
        run(seed, twist)
    except Exception as error:
        return error
    return None


def _told_elsewhere(seed: int, *, hash_seed: str) -> str:
    command = [
        sys.executable,
        "-c",
        f"from tests.simulation.running import run; print(run({seed}))",
    ]
    answer = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return answer.stdout.strip()
