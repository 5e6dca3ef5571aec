"""The pipeline: from a sender, over ingest's log, to memberships that are committed.

Real servers and services, on all cores together with what sends the load. On a machine that others
use too, the rates mean little; what an event takes of the cores means more.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hairspring.contracts.transition.v1 import transition_service_pb2, transition_service_pb2_grpc
from hairspring.runtime.client import open_channel
from hairspring.wire.times import to_ms

from tests.benchmarks.figures import Figure, Size
from tests.benchmarks.pipeline_stage import Measured, Stage, stage
from tests.support.cluster import TOKEN

_COMMAND = "python -m tests.benchmarks --only pipeline"
LAG = 10_000  #: Events that the sustained load may be ahead of what is committed.
CALM_RATE = 2_000  #: Events a second at which it is measured how long they take.
CALM_BATCH = 20

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class _Found:
    """What the rounds found, by what was done."""

    ingest: list[Measured] = field(default_factory=list)
    backlog: list[Measured] = field(default_factory=list)
    sustained: list[Measured] = field(default_factory=list)
    calm: list[Measured] = field(default_factory=list)
    late: list[list[float]] = field(default_factory=list)  #: Milliseconds, in each round.
    two: list[Measured] = field(default_factory=list)
    sustained_by_two: list[Measured] = field(default_factory=list)


def figures(size: Size, directory: Path, say: Say) -> Iterator[Figure]:
    """Measure ingest alone, a backlog, all at once, a calm stream, and both with two evaluators."""
    where = directory / "pipeline"
    shutil.rmtree(where, ignore_errors=True)
    try:
        found = asyncio.run(_measure(size, where, say))
    finally:
        shutil.rmtree(where, ignore_errors=True)
    yield from _told(size, found)


def stored_figures(size: Size, directory: Path, say: Say) -> Iterator[Figure]:
    """Measure whether an event costs more where a hundred times as many profiles are stored."""
    where = directory / "stored"
    found: dict[int, list[Measured]] = {}
    for profiles in (size.profiles // 10, size.profiles * 10):
        found[profiles] = []
        for number in range(size.rounds):
            say(f"round {number + 1} of {size.rounds}: {profiles:,} profiles")
            shutil.rmtree(where, ignore_errors=True)
            try:
                found[profiles].append(asyncio.run(_sustain_alone(size, where, profiles)))
            finally:
                shutil.rmtree(where, ignore_errors=True)
    yield from _told_of_stored(found)


async def _sustain_alone(size: Size, directory: Path, profiles: int) -> Measured:
    async with stage(directory, profiles=profiles) as on:
        await on.start(on.evaluators[0])
        await _sustain(on, size.pipeline_seconds / 2)  # what is new at the start is not measured
        return await _sustain(on, size.pipeline_seconds)


def _told_of_stored(found: dict[int, list[Measured]]) -> Iterator[Figure]:
    few = min(found)
    for profiles, measured in found.items():
        times = statistics.median(
            a.microseconds() / b.microseconds() for a, b in zip(measured, found[few], strict=True)
        )
        yield Figure(
            name=f"pipeline, sustained with {profiles:,} profiles: all",
            unit="µs/event",
            values=tuple(one.microseconds() for one in measured),
            goal="" if profiles == few else f"no more than with {few:,}",
            command=_COMMAND.replace("pipeline", "stored"),
            ratio=f"{times:.2f} of {few:,} profiles",
        )
        for name in ("rule-evaluator", "postgres: rule-evaluator"):
            yield Figure(
                name=f"pipeline, sustained with {profiles:,} profiles: {name}",
                unit="µs/event",
                values=tuple(one.microseconds(name) for one in measured),
                command=_COMMAND.replace("pipeline", "stored"),
            )
        yield Figure(
            name=f"pipeline, memory of the evaluator with {profiles:,} profiles",
            unit="MB",
            values=tuple(one.megabytes for one in measured),
            command=_COMMAND.replace("pipeline", "stored"),
        )


async def _measure(size: Size, directory: Path, say: Say) -> _Found:
    found = _Found()
    say(f"storing {size.profiles:,} profiles")
    async with stage(directory, profiles=size.profiles) as on:
        for number in range(size.rounds):
            round_ = f"round {number + 1} of {size.rounds}"
            say(f"{round_}: {size.pipeline_events:,} events in, then evaluated")
            found.ingest.append(await _accept(on, size.pipeline_events))
            found.backlog.append(await _work_off(on, 1))
            say(f"{round_}: both for {size.pipeline_seconds:g} s")
            found.sustained.append(await _sustain(on, size.pipeline_seconds))
            say(f"{round_}: {CALM_RATE:,} events a second for {size.pipeline_seconds:g} s")
            calm, late = await _calm(on, size.pipeline_seconds)
            found.calm.append(calm)
            found.late.append(late)
            await on.stop(*on.evaluators)
            say(f"{round_}: the same backlog with two evaluators")
            await _accept(on, size.pipeline_events)
            found.two.append(await _work_off(on, 2))
            say(f"{round_}: both for {size.pipeline_seconds:g} s, with two evaluators")
            found.sustained_by_two.append(await _sustain(on, size.pipeline_seconds))
            await on.stop(*on.evaluators)
    return found


async def _accept(on: Stage, events: int) -> Measured:
    """Has events accepted while nobody evaluates them."""
    async with on.measuring() as measured:
        measured.sent(await on.load("--events", events))
    return measured


async def _work_off(on: Stage, evaluators: int) -> Measured:
    """Starts evaluators, and measures from when they are ready until they have caught up."""
    behind = await on.evaluated_through()
    await on.start(*on.evaluators[:evaluators])
    async with on.measuring() as measured:
        measured.began = time.time()
        await on.evaluated(behind)
        measured.events = await on.head() - behind
    return measured


async def _sustain(on: Stage, seconds: float) -> Measured:
    """Sends as much as is evaluated meanwhile, and ends when all of it is."""
    head = await on.head()
    async with on.measuring() as measured:
        measured.sent(await on.load("--seconds", seconds, "--lag", LAG))
        await on.evaluated(head)
    return measured


async def _calm(on: Stage, seconds: float) -> tuple[Measured, list[float]]:
    """Sends evenly, and answers how long each change took from its event to a subscriber."""
    head = await on.head()
    async with on.measuring() as measured, following(on.evaluators[0].address) as late:
        measured.sent(
            await on.load("--seconds", seconds, "--rate", CALM_RATE, "--batch", CALM_BATCH)
        )
        await on.evaluated(head)
    return measured, late


@asynccontextmanager
async def following(address: str) -> AsyncIterator[list[float]]:
    """Gathers how late (in milliseconds) transitions come after the acceptance of their events.

    An event without a time happened when it was accepted, so that is when they take effect.
    """
    late: list[float] = []
    async with open_channel(address, TOKEN) as channel:
        stub = transition_service_pb2_grpc.TransitionServiceStub(channel)
        answers = stub.TailRecords(transition_service_pb2.TailRecordsRequest(after_position=-1))
        await anext(aiter(answers))

        async def gather() -> None:
            async for answer in answers:
                now = time.time() * 1000
                late.extend(
                    now - to_ms(record.transition.effective_time)
                    for record in answer.records
                    if record.transition.cause.WhichOneof("kind") == "event"
                )

        gathering = asyncio.create_task(gather())
        try:
            yield late
        finally:
            gathering.cancel()
            await asyncio.wait({gathering})
            answers.cancel()


def _told(size: Size, found: _Found) -> Iterator[Figure]:
    note = f"{size.profiles:,} profiles, 100 segments"
    yield _rate("pipeline, ingest alone", found.ingest, note=note)
    yield _rate("pipeline, a backlog worked off", found.backlog, goal="as sustained", note=note)
    changes = statistics.median(one.changes / one.events for one in found.sustained)
    yield _rate(
        "pipeline, sustained",
        found.sustained,
        goal="20,000 or more, better 30,000",
        note=f"acknowledged, evaluated and committed; {changes:.1%} of events change a membership",
    )
    yield _rate(
        "pipeline, the backlog with two evaluators",
        found.two,
        goal="more than with one",
        note=f"{_ratio(found.two, found.backlog):.2f} of one",
    )
    yield _rate(
        "pipeline, sustained with two evaluators",
        found.sustained_by_two,
        goal="20,000 or more, better 30,000",
        note=f"{_ratio(found.sustained_by_two, found.sustained):.2f} of one",
    )
    for title, measured in (
        ("ingest alone", found.ingest),
        ("backlog", found.backlog),
        ("sustained", found.sustained),
        ("sustained with two evaluators", found.sustained_by_two),
        (f"at {CALM_RATE:,} events/s", found.calm),
    ):
        yield from _taken(f"pipeline, {title}", measured)
    for share, goal in ((0.5, "under 10"), (0.99, "under 50")):
        yield Figure(
            name=f"pipeline, accepted to a subscriber, p{share * 100:.0f}",
            unit="ms",
            values=tuple(quantile(late, share) for late in found.late),
            goal=goal,
            command=_COMMAND,
            note=f"at {CALM_RATE:,} events/s, {len(found.late[0]):,} transitions",
        )


def _rate(name: str, measured: list[Measured], *, goal: str = "", note: str = "") -> Figure:
    values = tuple(one.rate for one in measured)
    return Figure(name=name, unit="events/s", values=values, goal=goal, command=_COMMAND, note=note)


def _taken(title: str, measured: list[Measured]) -> Iterator[Figure]:
    """What an event takes of the cores, by process; those that take next to nothing together."""
    whole = sorted({name for one in measured for name in one.cpu})
    for name in ("", *whole):
        values = tuple(one.microseconds(name) for one in measured)
        if statistics.median(values) >= 0.05:
            yield Figure(
                name=f"{title}: {name or 'all'}", unit="µs/event", values=values, command=_COMMAND
            )


def _ratio(measured: list[Measured], others: list[Measured]) -> float:
    return statistics.median(a.rate / b.rate for a, b in zip(measured, others, strict=True))


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of them lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
