"""A busy shop under seeded faults: nothing is lost, nothing happens twice, and all is on time.

HAIRSPRING_CHAOS=full (`make chaos`) runs whole schedules; HAIRSPRING_CHAOS_SEED is the first seed,
HAIRSPRING_CHAOS_SEEDS how many. Without it there is a short form, some seconds long.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import orjson
import pytest
from hairspring.cli import export
from hairspring.embedded.mail import MailSink
from hairspring.embedded.postgres import postgres
from hairspring.embedded.valkey import ValkeyServer, valkey
from hairspring.wire.times import iso
from hairspring.wire.transitions import transition_json

from tests.chaos import books, mail_books, report, run_logs, schedule, shop
from tests.chaos.course import Course, Outcome
from tests.chaos.faults import Cut, FlushRedis, HoldUp, JumpClock, Kill
from tests.chaos.load import Load
from tests.chaos.replicas import Places
from tests.chaos.scene import scene

FULL = os.environ.get("HAIRSPRING_CHAOS") == "full"
FIRST = int(os.environ.get("HAIRSPRING_CHAOS_SEED", "1"))
SEEDS = int(os.environ.get("HAIRSPRING_CHAOS_SEEDS", "1"))

SLOTS = {"ingest": 3, "rule_evaluator": 3, "delivery": 3}
STARTED = 2
PROFILES = [f"shopper-{number}" for number in range(400)]
TOGETHER_SECONDS = 60.0

FEW_PROFILES = [f"shopper-{number}" for number in range(100)]
SHORT_CALM_MS = 1_500


@pytest.mark.skipif(not FULL, reason="runs for minutes; HAIRSPRING_CHAOS=full asks for it")
@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
async def test_every_fault(seed: int, tmp_path: Path, mail_sink: MailSink) -> None:
    """After every kind of fault, alone and two at a time, the books are right."""
    plan = schedule.full(seed)
    async with (
        postgres(tmp_path / "postgres", fsync=False) as database,
        valkey(tmp_path / "valkey") as redis,
        scene(
            Places(
                directory=tmp_path,
                postgres_url=database.url,
                redis_url=redis.url,
                smtp_url=mail_sink.url,
            ),
            slots=SLOTS,
            started=STARTED,
            redis=redis,
            postgres=database,
            sink=mail_sink,
        ) as running,
    ):
        course = Course(running, Load(running.cluster.events, seed, PROFILES), PROFILES)

        async def disturb(course: Course) -> None:
            await course.alone(plan.alone)
            await course.together(plan.together, TOGETHER_SECONDS)
            await asyncio.sleep(3.0)  # some trade after the last fault

        outcome = await course.run(disturb, shop.CALM_MS)
    wanted = await asyncio.to_thread(_simulated, tmp_path, outcome)
    wrong = _wrong(course, outcome, wanted)
    report.write(report.make(seed, course, outcome, len(wanted), wrong))
    assert wrong == []


async def test_short_form(
    tmp_path: Path, database_url: str, valkey_server: ValkeyServer, redis_url: str,
    mail_sink: MailSink,
) -> None:  # fmt: skip
    """Each service is killed, Redis is emptied, connections break: the books are right."""
    slots = dict.fromkeys(SLOTS, 1)
    chance = random.Random(FIRST)
    places = Places(
        directory=tmp_path,
        postgres_url=database_url,
        redis_url=valkey_server.url,
        smtp_url=mail_sink.url,
    )
    async with scene(
        places, slots=slots, started=1, redis=valkey_server, sink=mail_sink, shards=16
    ) as running:
        load = Load(
            running.cluster.events, FIRST, FEW_PROFILES, size=20, pace_seconds=0.1, at_least=1_500
        )
        course = Course(running, load, FEW_PROFILES)
        outcome = await course.run(partial(_strike_briefly, chance), SHORT_CALM_MS)
    wanted = books.expected(outcome.log, shop.catalog(), outcome.until)
    assert {line["segment"] for line in wanted} == shop.catalog().segments.keys()
    assert any("groups" in line for line in wanted)
    assert any(line["cause"].get("late") for line in wanted)
    assert _wrong(course, outcome, books.as_bytes(wanted)) == []


async def _strike_briefly(chance: random.Random, course: Course) -> None:
    """Kill every service once, side by side, amid what else can go wrong within two seconds."""
    seeds = iter(lambda: chance.randrange(1 << 32), None)
    owner = chance.choice(("rule_evaluator", "delivery"))
    jump = chance.choice((-90.0, 90.0))
    await asyncio.gather(
        course.strike(FlushRedis(seed=next(seeds))),
        course.strike(
            JumpClock(seed=next(seeds), service=owner, wrong_by_seconds=jump, seconds=0.5)
        ),
        course.strike(
            HoldUp(seed=next(seeds), service=owner, link="postgres", seconds=0.3, resets=True)
        ),
    )
    await asyncio.gather(
        *(
            course.strike(Kill(seed=next(seeds), service=service, away_seconds=0.0))
            for service in schedule.SERVICES
        ),
    )
    await course.strike(Cut(seed=next(seeds), service=owner, link="ingest", seconds=0.0))


def _wrong(course: Course, outcome: Outcome, wanted: list[bytes]) -> list[str]:
    """Everything that is not as it must be; what the logs tell of wrong runs is printed."""
    deliveries = course.scene.replicas.by_service["delivery"]
    told = run_logs.told(one.service.log for one in deliveries)
    wrong = [*_wrong_books(course, outcome, wanted), *run_logs.problems(told)]
    for line in run_logs.trails(told, wrong):
        print(line)
    return wrong


def _wrong_books(course: Course, outcome: Outcome, wanted: list[bytes]) -> list[str]:
    """Everything that is not as it must be in the books."""
    lines = books.ordered(
        (
            transition_json(record)
            for record in outcome.records
            if record.WhichOneof("body") == "transition"
        ),
        iso(outcome.until),
    )
    return [
        *books.of_log(outcome.log, course.load.acknowledged),
        *books.of_transitions(wanted, books.as_bytes(lines)),
        *books.of_subscriber(course.subscriber.records, outcome.records),
        *mail_books.problems(
            mail_books.entries_of(outcome.records, outcome.log),
            outcome.records[outcome.judged - 1].position,
            outcome.runs,
            outcome.messages,
            outcome.mails,
        ),
    ]


def _simulated(directory: Path, outcome: Outcome) -> list[bytes]:
    """What `hairspring simulate --as-accepted` prints for the event log."""
    log, definitions = directory / "log.jsonl", directory / "shop.yaml"
    lines = (export.line(record) for record in outcome.log)
    log.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    definitions.write_text(shop.DEFINITIONS)
    command = [sys.executable, "-m", "hairspring.cli.main", "simulate", "--as-accepted"]
    options = ["-f", definitions, "--until", iso(outcome.until), "--format", "jsonl", log]
    return subprocess.run([*command, *options], check=True, capture_output=True).stdout.splitlines()
