"""Ingest alone: events a second through batches, and how long a single event takes.

A durable Postgres, the real service and what sends the load share all cores. On a machine that
others use too, the rates mean little; what an event takes of the cores means more.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from hairspring.embedded.ports import free_port
from hairspring.embedded.postgres import PostgresServer, postgres

from tests.benchmarks import cpu
from tests.benchmarks.figures import Figure, Size
from tests.benchmarks.pipeline_stage import POSTGRES
from tests.benchmarks.programs import told_by
from tests.support.cluster import TOKEN, Service

RATE = 1_000
LONGEST_SECONDS = 600
GOALS = {"gRPC batches": "50,000 or more", "HTTP batches": "25,000 or more"}
SIZES = {"batches": "of 500", "streams": "of 500, on 4 streams", "one by one": "on 4 streams"}
_COMMAND = "python -m tests.benchmarks --only ingest"

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class _Round:
    """What one load found: the rate, the lateness (ms, sorted), and the cores' time an event."""

    rate: float
    late: list[float]
    cpu: Counter[str] = field(default_factory=Counter)


def figures(size: Size, directory: Path, say: Say) -> Iterator[Figure]:
    """Measure batches and single events, over gRPC and over HTTP."""
    where = directory / "ingest"
    shutil.rmtree(where, ignore_errors=True)
    try:
        found = asyncio.run(_measure(size, where, say))
    finally:
        shutil.rmtree(where, ignore_errors=True)
    yield from _told(found)


def stored_figures(size: Size, directory: Path, say: Say) -> Iterator[Figure]:
    """Measure batches with five and with a hundred times as many events stored."""
    where = directory / "ingest-stored"
    shutil.rmtree(where, ignore_errors=True)
    try:
        found = asyncio.run(_measure_stored(size, where, say))
    finally:
        shutil.rmtree(where, ignore_errors=True)
    few = min(found)
    for stored, rounds in found.items():
        note = f"{stored:,} events stored"
        command = _COMMAND.replace("ingest", "ingest-stored")
        for name in ("events/s", "ingest", "postgres"):
            values = [_stored_value(one, name) for one in rounds]
            before = [_stored_value(one, name) for one in found[few]]
            times = statistics.median(a / b for a, b in zip(values, before, strict=True))
            yield Figure(
                name=f"ingest with {note}: {name}",
                unit=name if name == "events/s" else "µs/event",
                values=tuple(values),
                goal="" if stored == few else f"as with {few:,}",
                command=command,
                ratio=f"{times:.2f} of {few:,}",
            )


def _stored_value(one: _Round, name: str) -> float:
    return one.rate if name == "events/s" else one.cpu[name]


async def _measure_stored(size: Size, directory: Path, say: Say) -> dict[int, list[_Round]]:
    found: dict[int, list[_Round]] = {}
    batch, sent, seed = size.pipeline_events, 0, 0
    async with _running(directory) as (database, service):
        for stored in (5 * batch, 100 * batch):
            found[stored] = []
            while sent < stored or len(found[stored]) < size.rounds:
                say(f"{sent:,} events stored")
                seed += 1
                more = ("--events", str(batch), "--profiles", str(size.profiles))
                load = ("load", "--address", service.address, *more, "--seed", str(seed))
                one = await _run(database, service, *load)
                if sent >= stored:
                    found[stored].append(one)
                sent += batch
    return found


async def _measure(size: Size, directory: Path, say: Say) -> dict[str, list[_Round]]:
    found: dict[str, list[_Round]] = defaultdict(list)
    http = f"127.0.0.1:{free_port()}"
    async with _running(directory, HAIRSPRING_INGEST_HTTP=http) as (database, service):
        events = ("--events", str(size.pipeline_events))
        single = ("--rate", str(RATE), "--seconds", str(size.pipeline_seconds))
        fewer = ("--events", str(size.pipeline_events // 10), "--batch", "1")
        loads = {
            "gRPC batches": ("load", "--address", service.address, *events),
            "gRPC streams": ("load", "--address", service.address, *events, "--stream"),
            "gRPC one by one": ("load", "--address", service.address, *fewer, "--stream"),
            "HTTP batches": ("ingest_load", "--http", http, *events),
            "gRPC single": ("ingest_load", "--grpc", service.address, *single),
            "HTTP single": ("ingest_load", "--http", http, *single),
        }
        seed = 0
        for number in range(size.rounds):
            for name, load in loads.items():
                say(f"round {number + 1} of {size.rounds}: {name}")
                seed += 1
                more = ("--profiles", str(size.profiles), "--seed", str(seed))
                found[name].append(await _run(database, service, *load, *more))
    return found


@asynccontextmanager
async def _running(
    directory: Path, **settings: str
) -> AsyncIterator[tuple[PostgresServer, Service]]:
    """Run a durable Postgres, and ingest on it."""
    directory.mkdir(parents=True)
    async with postgres(directory / "postgres", settings=POSTGRES) as database:
        environment = {
            "HAIRSPRING_POSTGRES_URL": database.url,
            "HAIRSPRING_SERVICE_TOKEN": TOKEN,
            **settings,
        }
        service = Service("ingest", environment, directory)
        await service.start()
        try:
            yield database, service
        finally:
            await service.stop()


async def _run(database: PostgresServer, service: Service, module: str, *options: str) -> _Round:
    head, before = await _head(database), _cpu(database, service)
    program = (sys.executable, "-m", f"tests.benchmarks.{module}")
    sent = await told_by(*program, *options, within=LONGEST_SECONDS)
    if (grown := await _head(database) - head) != sent["events"]:
        raise AssertionError(f"{sent['events']} events were sent, and the log grew by {grown}")
    taken = _cpu(database, service)
    taken.subtract(before)
    taken["load generator"] = sent["cpu_seconds"]
    each = Counter({name: seconds / sent["events"] * 1e6 for name, seconds in taken.items()})
    return _Round(rate=sent["events"] / sent["seconds"], late=sent.get("late", []), cpu=each)


async def _head(database: PostgresServer) -> int:
    connection = await asyncpg.connect(database.url)
    try:
        return int(await connection.fetchval("SELECT head FROM ingest.lane"))
    finally:
        await connection.close()


def _cpu(database: PostgresServer, service: Service) -> Counter[str]:
    told = cpu.of_postgres(database.pid, {})
    return Counter({"ingest": cpu.seconds(service.pid), "postgres": sum(told.values())})


def _told(found: dict[str, list[_Round]]) -> Iterator[Figure]:
    for name, rounds in found.items():
        way, _, kind = name.partition(" ")
        if kind in SIZES:
            rates = [one.rate for one in rounds]
            yield _figure(f"ingest, {name}", "events/s", rates, GOALS.get(name, ""), SIZES[kind])
        else:
            for share, goal in ((0.5, ""), (0.99, "under 15")):
                late = [one.late[int(len(one.late) * share)] for one in rounds]
                title = f"ingest, {way}, a single event, p{share * 100:.0f}"
                yield _figure(title, "ms", late, goal, f"at {RATE:,} a second")
        for process in ("ingest", "postgres", "load generator"):
            taken = [one.cpu[process] for one in rounds]
            if all(taken):
                yield _figure(f"ingest, {name}: {process}", "µs/event", taken)


def _figure(name: str, unit: str, values: list[float], goal: str = "", note: str = "") -> Figure:
    return Figure(
        name=name, unit=unit, values=tuple(values), goal=goal, command=_COMMAND, note=note
    )
