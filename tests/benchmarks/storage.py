"""What an event and a profile take: on disk, and of the write-ahead log.

On the workload of the pipeline, by the real services on a durable Postgres. Nothing here is a
time, so it does not matter what else the machine has to do.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure, Size
from tests.benchmarks.pipeline_stage import Stage, stage

COMMAND = 'make bench ARGS="--only storage"'
_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname ~ $2
"""
_WAL = "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint"
_STATE = "SELECT avg(length(state))::float8 FROM rule_evaluator.profiles"
_RECORDS = "SELECT head FROM rule_evaluator.lane"

Say = Callable[[str], None]
_Found = dict[str, list[float]]


def figures(size: Size, directory: Path, say: Say) -> Iterator[Figure]:
    """Measure the tables and the write-ahead log."""
    where = directory / "storage"
    shutil.rmtree(where, ignore_errors=True)
    try:
        found = asyncio.run(_measure(size, where, say))
    finally:
        shutil.rmtree(where, ignore_errors=True)
    for name, note in _TOLD.items():
        values = tuple(found[name])
        yield Figure(
            name=f"storage, {name}", unit="bytes", values=values, command=COMMAND, note=note
        )


_TOLD = {
    "state of a profile": "as it is encoded",
    "a profile": "its row with its indexes, and room for updates",
    "an event in the log of ingest": "with its indexes",
    "an event among the repeats": "kept for 24 to 48 hours",
    "write-ahead log of an event, ingest": "",
    "write-ahead log of an event, rule-evaluator": "",
    "the same right after a checkpoint": "each page is written whole when it is first touched",
    "a record in the log of the evaluator": "with its indexes",
}


async def _measure(size: Size, directory: Path, say: Say) -> _Found:
    found: _Found = defaultdict(list)
    say(f"storing {size.profiles:,} profiles")
    async with stage(directory, profiles=size.profiles) as on:
        found["state of a profile"].append(float(await on.ask(_STATE)))
        found["a profile"].append(await _bytes(on, "rule_evaluator", "^profiles$") / size.profiles)
        for number in range(size.rounds):
            say(f"round {number + 1} of {size.rounds}")
            await _round(on, size, found)
    return found


async def _round(on: Stage, size: Size, found: _Found) -> None:
    """Has events accepted and then evaluated, and a few more right after a checkpoint."""
    log, repeats = await _log(on), await _bytes(on, "ingest", "^repeats_")
    records, told = await _bytes(on, "rule_evaluator", "^log_"), await on.ask(_RECORDS)
    accepted, evaluated, events = await _through(on, size.pipeline_events)
    found["write-ahead log of an event, ingest"].append(accepted)
    found["write-ahead log of an event, rule-evaluator"].append(evaluated)
    found["an event in the log of ingest"].append((await _log(on) - log) / events)
    more = await _bytes(on, "ingest", "^repeats_") - repeats
    found["an event among the repeats"].append(more / events)
    grown = await _bytes(on, "rule_evaluator", "^log_") - records
    more = max(1, await on.ask(_RECORDS) - told)
    found["a record in the log of the evaluator"].append(grown / more)
    await on.ask("CHECKPOINT")
    _, right_after, _ = await _through(on, size.profiles // 10)
    found["the same right after a checkpoint"].append(right_after)


async def _through(on: Stage, events: int) -> tuple[float, float, int]:
    """Bytes of the write-ahead log for an event, of ingest and the evaluator; and how many."""
    behind, head, began = await on.evaluated_through(), await on.head(), await on.ask(_WAL)
    await on.load("--events", events)
    accepted, sent = await on.ask(_WAL), await on.head() - head
    await on.start(on.evaluators[0])
    await on.evaluated(behind)
    await on.stop(on.evaluators[0])
    ended = await on.ask(_WAL)
    return (accepted - began) / sent, (ended - accepted) / sent, sent


async def _log(on: Stage) -> int:
    return await _bytes(on, "ingest", "^log_")


async def _bytes(on: Stage, schema: str, tables: str) -> int:
    """What tables take with their indexes and what is stored apart."""
    return int(await on.ask(_SIZE, schema, tables))
