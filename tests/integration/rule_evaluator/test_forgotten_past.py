"""What explanations say of a past that is no longer kept, or that was deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import grpc
import pytest
from hairspring.contracts.membership.v1 import membership_service_pb2
from hairspring.contracts.privacy.v1 import privacy_service_pb2, privacy_service_pb2_grpc
from hairspring.database.pool import open_pool
from hairspring.log.retention import Retention
from hairspring.runtime.client import open_channel
from hairspring.services.rule_evaluator import progress
from hairspring.wire.times import from_ms

from tests.support.cluster import TOKEN, Cluster, now, track
from tests.support.waiting import eventually
from tests.support.within import within

SEGMENT = """
kind: Segment
name: keen
enter: {performed: {event: Viewed, times: ">= 2"}}
"""
Explained = membership_service_pb2.ExplainMembershipResponse


@pytest.fixture
async def running(
    tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    """Ingest and the evaluator, in this process; it tells all the while how far it is."""
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.1)
    async with within(tmp_path, database_url, redis_url) as started:
        assert await started.apply(SEGMENT) == []
        yield started


async def explain(running: Cluster, at: int, *, hindsight: bool = False) -> Explained:
    """Explain how ada stood at a moment (ms, UTC)."""
    request = membership_service_pb2.ExplainMembershipRequest(
        segment="keen", profile_id="ada", read_time=from_ms(at), hindsight=hindsight
    )
    return await running.memberships.ExplainMembership(request, timeout=20)


async def test_of_what_the_retention_dropped_nothing_is_told(
    running: Cluster, database_url: str
) -> None:
    """The evaluator says how far it is, what it has read may go, and explanations say what went."""
    async with open_pool(database_url, name="test") as pool:
        await running.track(track("ada", "Viewed"))
        await pool.execute("SELECT ingest.log_recut(0, 10, 1000)")
        [second] = await running.track(track("ada", "Viewed"))
        await running.settled(["ada"])
        read = await eventually(lambda: _read_by_evaluator(pool), timeout=30)
        dropped = await Retention(pool, "ingest").trim(before=now(), through=read)
    assert dropped is not None

    later = await explain(running, second.accept_time.ToMilliseconds() + 1)
    by_hindsight = await explain(running, dropped.accepted_at, hindsight=True)
    with pytest.raises(grpc.aio.AioRpcError, match="no longer kept, so nothing can be told"):
        await explain(running, dropped.accepted_at)

    for answer in (later, by_hindsight):
        assert "are no longer kept, and do not count here" in " ".join(answer.notes)
    # What she did before is in her state all the same: she is in the segment.
    question = membership_service_pb2.MembershipQuestion(profile_id="ada", segment="keen")
    request = membership_service_pb2.CheckMembershipsRequest(questions=[question])
    assert (await running.memberships.CheckMemberships(request, timeout=20)).answers[0].member


async def test_of_who_was_deleted_it_is_said(running: Cluster) -> None:
    """A moment before is explained as if she had done nothing, with a note; a later one is not."""
    await running.track(track("ada", "Viewed"), track("ada", "Viewed"))
    await running.settled(["ada"])
    before = now()
    async with open_channel(running.services["ingest"].address, TOKEN) as channel:
        await privacy_service_pb2_grpc.PrivacyServiceStub(channel).DeleteProfile(
            privacy_service_pb2.DeleteProfileRequest(profile_id="ada"), timeout=20
        )
    await running.settled(["ada"])

    then, after = await explain(running, before), await explain(running, now())

    assert (then.member, after.member) == (False, False)
    assert "the profile was deleted at" in " ".join(then.notes)
    assert "deleted" not in " ".join(after.notes)


async def _read_by_evaluator(pool: asyncpg.Pool) -> int | None:
    """How far the evaluator said it is, once it has read everything."""
    position = await pool.fetchval(
        "SELECT position FROM ingest.subscribers WHERE subscriber = 'rule-evaluator'"
    )
    return position or None
