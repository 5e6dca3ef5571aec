"""No await of the evaluator loses a cancellation, wherever it comes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from hairspring.services.rule_evaluator.app import build
from hairspring.services.rule_evaluator.config import EvaluatorSettings

from tests.support.cluster import TOKEN, Cluster, cluster, now, track
from tests.support.striking import strike
from tests.support.waiting import eventually

SEGMENTS = """
kind: Segment
name: cart-abandoners
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1s}
"""
SHARDS = 4
HEAD = "SELECT head FROM rule_evaluator.lane"
STEP = 1 if os.environ.get("HAIRSPRING_CHAOS") == "full" else 40


@pytest.fixture
async def running(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Cluster]:
    """Ingest, and what an evaluator has left that was there before."""
    async with cluster(
        tmp_path,
        database_url,
        redis_url,
        services=("ingest", "rule_evaluator"),
        shards=str(SHARDS),
    ) as started:
        assert await started.apply(SEGMENTS) == []
        assert await started.services["rule_evaluator"].stop() == 0
        yield started


@pytest.mark.parametrize("waking", [False, True], ids=["while it waits", "as it wakes"])
async def test_every_task_ends_when_it_is_cancelled_once(
    running: Cluster, database_url: str, redis_url: str, waking: bool
) -> None:
    """Each of its tasks, at each of its suspensions, and then all of the rest."""
    settings = EvaluatorSettings(
        postgres_url=database_url,
        redis_url=redis_url,
        ingest_address=running.services["ingest"].address,
        service_token=TOKEN,
        shards=SHARDS,
    )

    async def serve() -> None:
        async with build(settings) as app:
            await app.evaluation.run()

    async def judged() -> None:
        before = await connection.fetchval(HEAD)
        for n in range(3):
            await running.track(track(f"{at}-{n}", "Product Added", at=now() - 900))
        await eventually(lambda: connection.fetchval(f"{HEAD} WHERE head >= $1", before + 3), 30)

    connection = await asyncpg.connect(database_url)
    at, more = 1, True
    while more:
        striker = await strike(at, waking=waking, start=serve, settled=judged)
        more = striker.reached
        print(at, striker.seen, striker.where)
        at += STEP
    await connection.close()
    assert at > 2 * STEP
