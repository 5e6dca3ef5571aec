"""Ingest and the rule evaluator within the process of the test, so that a test can break them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hairspring.runtime.lifecycle import Stop
from hairspring.services.ingest import __main__ as ingest
from hairspring.services.ingest.config import IngestSettings
from hairspring.services.rule_evaluator import __main__ as evaluator
from hairspring.services.rule_evaluator.config import EvaluatorSettings

from tests.support.cluster import TOKEN, Cluster, Service

SHARDS = 8


@asynccontextmanager
async def within(
    directory: Path,
    postgres_url: str,
    redis_url: str,
    services: Sequence[str] = ("ingest", "rule_evaluator"),
    **more: object,
) -> AsyncIterator[Cluster]:
    """Run them as tasks, on real servers; in the end they are told to stop."""
    running = Cluster([Service(name, {}, directory) for name in ("ingest", "rule_evaluator")])
    addresses = {name: service.address for name, service in running.services.items()}
    settings: dict[str, Any] = {
        "postgres_url": postgres_url,
        "redis_url": redis_url,
        "service_token": TOKEN,
        "shards": SHARDS,
        "ingest_listen": addresses["ingest"],
        "ingest_address": addresses["ingest"],
        "evaluator_listen": addresses["rule_evaluator"],
        **more,
    }
    stop = Stop()
    async with asyncio.TaskGroup() as tasks:
        if "ingest" in services:
            await _started(tasks, stop, ingest.run, IngestSettings(**settings))
        if "rule_evaluator" in services:
            await _started(tasks, stop, evaluator.run, EvaluatorSettings(**settings))
        try:
            yield running
        finally:
            await running.close()
            stop.request("the test is over")


async def _started(tasks: asyncio.TaskGroup, stop: Stop, run: Any, settings: Any) -> None:
    started = asyncio.Event()
    serving: Coroutine[Any, Any, None] = run(settings, stop, lambda address: started.set())
    task = tasks.create_task(serving)
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    waiting.cancel()
    if task.done():
        task.result()
    assert started.is_set()
