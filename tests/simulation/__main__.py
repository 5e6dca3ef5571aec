"""Runs many seeds on all cores: `python -m tests.simulation --seeds 2000 --from 1`."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Iterator
from multiprocessing import Pool

from tests.simulation.running import Outcome, run

AT_ONCE = 25
TELL_EVERY = 1_000


def main() -> int:
    """Run what the arguments say; the number of broken worlds is more than 0 in the answer."""
    asked = _arguments()
    if asked.tell:
        return _tell(asked.begin)
    began, worlds, broken, steps, faults = time.monotonic(), 0, 0, 0, 0
    last = asked.begin + asked.seeds
    chunks = [range(n, min(n + AT_ONCE, last)) for n in range(asked.begin, last, AT_ONCE)]
    with Pool(asked.processes) as pool:
        for results in pool.imap_unordered(_run, chunks):
            for result in results:
                worlds += 1
                if isinstance(result, Outcome):
                    steps, faults = steps + result.steps, faults + result.faults
                else:
                    broken += 1
                    print(result, flush=True)
            if worlds % TELL_EVERY == 0:
                print(f"{worlds} worlds from seed {asked.begin}, {broken} broken", flush=True)
            if sys.stderr.isatty():
                print(f"\r{worlds} worlds, {broken} broken ", end="", file=sys.stderr, flush=True)
    minutes = (time.monotonic() - began) / 60
    print(
        f"{worlds} worlds from seed {asked.begin}, {broken} broken; {steps} steps, {faults} faults"
        f" beside lost calls; {worlds / minutes:.0f} worlds a minute on {asked.processes} processes"
    )
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many worlds to run")
    parser.add_argument("--from", type=int, default=1, dest="begin", help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--tell", action="store_true", help="tell all that happens in the first seed's world"
    )
    return parser.parse_args()


def _run(seeds: range) -> list[Outcome | str]:
    return list(_outcomes(seeds))


def _outcomes(seeds: range) -> Iterator[Outcome | str]:
    for seed in seeds:
        try:
            yield run(seed)
        except Exception as error:
            said = "".join(traceback.format_exception_only(error))
            yield f"\nseed {seed}:\n{said}"


def _tell(seed: int) -> int:
    try:
        print(run(seed, tell=print))
    except Exception as error:
        print("".join(traceback.format_exception(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
