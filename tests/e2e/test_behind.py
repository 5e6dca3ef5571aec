"""What was acknowledged in time counts, however far behind its evaluation is."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.flow.v1 import flow_service_pb2, run_pb2
from hairspring.embedded.mail import MailSink

from tests.support.cluster import Cluster, cluster, now, track
from tests.support.waiting import eventually

DEADLINE_MS = 1_000
DEFINITIONS = """
kind: Segment
name: cart-abandoners
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1s}
---
kind: Flow
name: recovery
trigger: {entered: cart-abandoners}
steps:
  - wait: 1s
  - send: {template: recovery}
---
kind: Template
name: recovery
subject: Your cart
html: "<p>Come back</p>"
"""


@pytest.fixture
async def running(
    tmp_path: Path, database_url: str, redis_url: str, mail_sink: MailSink
) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path, database_url, redis_url, smtp_url=mail_sink.url) as started:
        assert await started.apply(DEFINITIONS) == []
        yield started


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process as the kernel may, and let it go on after."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def until(at: int) -> None:
    """Let time pass until a moment (milliseconds, UTC)."""
    await asyncio.sleep(max(at - now(), 0) / 1000)


@pytest.mark.parametrize("others", [0, 5_000])
async def test_a_purchase_before_the_deadline_is_never_overtaken(
    running: Cluster, others: int
) -> None:
    """An alarm that rings while the purchase waits to be read makes nobody an abandoner.

    With thousands of other events before the purchase, the alarm rings amid them.
    """
    evaluator = running.services["rule_evaluator"]
    [added] = await running.track(track("bea", "Product Added"))
    deadline = added.accept_time.ToMilliseconds() + DEADLINE_MS
    await running.settled(["bea"])  # so that her alarm is armed
    with paused(evaluator.pid):
        for start in range(0, others, 1_000):
            await running.track(
                *(track(f"other-{start + n}", "Product Viewed") for n in range(1_000))
            )
        [bought] = await running.track(track("bea", "Order Completed"))
        assert bought.accept_time.ToMilliseconds() < deadline, "this machine is too slow to test"
        [left] = await running.track(track("ann", "Product Added"))
        await until(left.accept_time.ToMilliseconds() + 2 * DEADLINE_MS)
    await running.settled(["ann", "bea"])
    assert [change["profile"] for change in await running.changes()] == ["ann"]


async def test_a_killed_evaluator_overtakes_no_purchase(running: Cluster) -> None:
    """An evaluator that comes back after the deadline counts the purchase that was before it."""
    evaluator = running.services["rule_evaluator"]
    [added] = await running.track(track("bea", "Product Added"))
    await running.settled(["bea"])
    await evaluator.kill()
    [bought] = await running.track(track("bea", "Order Completed"))
    deadline = added.accept_time.ToMilliseconds() + DEADLINE_MS
    assert bought.accept_time.ToMilliseconds() < deadline, "this machine is too slow to test"
    await until(deadline + DEADLINE_MS)
    await evaluator.start()
    await running.settled(["bea"])
    assert await running.changes() == []


async def test_who_has_bought_is_not_mailed(running: Cluster, mail_sink: MailSink) -> None:
    """A mail that falls due while the purchase waits to be read does not go out."""
    evaluator = running.services["rule_evaluator"]
    traits = json.dumps({"email": "bea@example.com"}).encode()
    identify = event_pb2.EVENT_TYPE_IDENTIFY
    await running.track(
        event_pb2.Event(profile_id="bea", type=identify, properties_json=traits),
        track("bea", "Product Added"),
    )
    runs = flow_service_pb2.ListRunsRequest()

    async def standing() -> list[run_pb2.Run]:
        return list((await running.flows.ListRuns(runs, timeout=10)).runs)

    [run] = await eventually(standing)
    assert run.status == run_pb2.RUN_STATUS_ACTIVE
    with paused(evaluator.pid):
        await running.track(track("bea", "Order Completed"))
        assert now() < run.due_time.ToMilliseconds(), "this machine is too slow to test"
        await until(run.due_time.ToMilliseconds() + DEADLINE_MS)

    async def ended() -> bool:
        return (await standing())[0].status == run_pb2.RUN_STATUS_ENDED

    await eventually(ended, timeout=30)
    assert (await standing())[0].reason == "segment_left"
    assert mail_sink.messages == []
