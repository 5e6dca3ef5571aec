"""What was acknowledged in time counts, however far behind its evaluation is."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.flow.v1 import flow_service_pb2, run_pb2
from hairspring.embedded.mail import MailSink

from tests.support.cluster import Cluster, cluster, now, track
from tests.support.waiting import eventually

DEADLINE_MS = 3_000
DEFINITIONS = """
kind: Segment
name: cart-abandoners
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 3s}
---
kind: Flow
name: recovery
trigger: {entered: cart-abandoners}
steps:
  - wait: 3s
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


async def crowd(running: Cluster, near: str, number: int) -> None:
    """Have 2,500 others do something, as many as one call takes."""
    await running.track(*(track(f"{near}-{number}-{n}", "Product Added") for n in range(2_500)))


async def in_time(scenario: Callable[[str], Awaitable[bool]]) -> None:
    """Play a scenario for one person after another until she does in time what she has to.

    It answers False where this machine was too slow for it to mean anything.
    """
    for number in range(5):
        if await scenario(f"bea-{number}"):
            return
    pytest.fail("this machine was too slow five times")


@pytest.mark.parametrize("others", [0, 15_000])
async def test_a_purchase_before_the_deadline_is_never_overtaken(
    running: Cluster, others: int
) -> None:
    """An alarm that rings while the purchase waits to be read makes nobody an abandoner.

    With many other events before the purchase, the alarm rings while these are evaluated.
    """
    evaluator = running.services["rule_evaluator"]

    async def scenario(bea: str) -> bool:
        [added] = await running.track(track(bea, "Product Added"))
        deadline = added.accept_time.ToMilliseconds() + DEADLINE_MS
        await running.settled([bea])  # so that her alarm is armed
        with paused(evaluator.pid):
            if others:
                await asyncio.gather(*(crowd(running, bea, n) for n in range(others // 2_500)))
            [bought] = await running.track(track(bea, "Order Completed"))
            [left] = await running.track(track(f"not-{bea}", "Product Added"))
            await until(left.accept_time.ToMilliseconds() + DEADLINE_MS + 500)
        if bought.accept_time.ToMilliseconds() >= deadline:
            return False
        await running.settled([bea, f"not-{bea}"])
        abandoned = {change["profile"] for change in await running.changes()}
        assert f"not-{bea}" in abandoned
        assert bea not in abandoned
        return True

    await in_time(scenario)


async def test_a_killed_evaluator_overtakes_no_purchase(running: Cluster) -> None:
    """An evaluator that comes back after the deadline counts the purchase that was before it."""
    evaluator = running.services["rule_evaluator"]

    async def scenario(bea: str) -> bool:
        [added] = await running.track(track(bea, "Product Added"))
        deadline = added.accept_time.ToMilliseconds() + DEADLINE_MS
        await running.settled([bea])
        await evaluator.kill()
        [bought] = await running.track(track(bea, "Order Completed"))
        await until(deadline + 500)
        await evaluator.start()
        if bought.accept_time.ToMilliseconds() >= deadline:
            return False
        await running.settled([bea])
        assert bea not in {change["profile"] for change in await running.changes()}
        return True

    await in_time(scenario)


async def test_who_has_bought_is_not_mailed(running: Cluster, mail_sink: MailSink) -> None:
    """A mail that falls due while the purchase waits to be read does not go out."""
    evaluator = running.services["rule_evaluator"]

    async def scenario(bea: str) -> bool:
        await running.track(with_address(bea), track(bea, "Product Added"))
        request = flow_service_pb2.ListRunsRequest(profile_id=bea)

        async def standing(status: run_pb2.RunStatus) -> run_pb2.Run | None:
            runs = (await running.flows.ListRuns(request, timeout=10)).runs
            return runs[0] if runs and runs[0].status == status else None

        run = await eventually(lambda: standing(run_pb2.RUN_STATUS_ACTIVE), timeout=30)
        assert run is not None
        with paused(evaluator.pid):
            await running.track(track(bea, "Order Completed"))
            in_time = now() < run.due_time.ToMilliseconds()
            await until(run.due_time.ToMilliseconds() + 500)
        ended = await eventually(lambda: standing(run_pb2.RUN_STATUS_ENDED), timeout=30)
        assert ended is not None
        if not in_time:
            return False
        assert ended.reason == "segment_left"
        assert f"{bea}@example.com" not in {mail.recipients[0] for mail in mail_sink.messages}
        return True

    await in_time(scenario)


def with_address(profile: str) -> event_pb2.Event:
    """An event that tells where somebody can be mailed."""
    return event_pb2.Event(
        profile_id=profile,
        type=event_pb2.EVENT_TYPE_IDENTIFY,
        properties_json=json.dumps({"email": f"{profile}@example.com"}).encode(),
    )
