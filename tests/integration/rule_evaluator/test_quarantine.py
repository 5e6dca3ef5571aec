"""Events that make the code raise: set aside, told of, and tried again; the rest goes on."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hairspring.contracts.event.v1 import event_service_pb2, event_service_pb2_grpc
from hairspring.contracts.membership.v1 import membership_service_pb2
from hairspring.contracts.privacy.v1 import privacy_service_pb2, privacy_service_pb2_grpc
from hairspring.contracts.quarantine.v1 import (
    quarantine_pb2,
    quarantine_service_pb2,
    quarantine_service_pb2_grpc,
)
from hairspring.engine import rebuild as rebuilding
from hairspring.engine import step as stepping
from hairspring.engine.events import Event
from hairspring.runtime.client import open_channel
from hairspring.services.rule_evaluator import folding

from tests.support.cluster import TOKEN, Cluster, track
from tests.support.waiting import eventually
from tests.support.within import within

SEGMENTS = """
kind: Segment
name: buyers
enter:
  performed: {event: Order Completed}
---
kind: Segment
name: twice
enter:
  performed: {event: Order Completed, times: ">= 2"}
---
kind: Segment
name: lookers
enter:
  abandoned: {event: Product Viewed, unless: {event: Order Completed}, after: 1s}
"""
RELEASED = quarantine_service_pb2.RETRY_STATUS_RELEASED


@pytest.fixture
async def running(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Cluster]:
    async with within(tmp_path, database_url, redis_url) as started:
        assert await started.apply(SEGMENTS) == []
        yield started


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any, Any], bool]], None]:
    """Has the engine's step raise where a test says so of (state, input), also in rebuilds."""

    def spoiled(raises: Callable[[Any, Any], bool]) -> None:
        def step(state: Any, given: Any, *args: Any, **kwargs: Any) -> Any:
            done = stepping.step(state, given, *args, **kwargs)
            if raises(state, given):
                raise OverflowError("too large")
            return done

        monkeypatch.setattr(folding, "step", step)
        monkeypatch.setattr(rebuilding, "step", step)

    return spoiled


def _is_poison(state: Any, given: Any) -> bool:
    return isinstance(given, Event) and "poison" in given.properties


async def _entries(running: Cluster, profile: str = "") -> list[quarantine_pb2.QuarantineEntry]:
    async with open_channel(running.services["rule_evaluator"].address, TOKEN) as channel:
        stub = quarantine_service_pb2_grpc.QuarantineServiceStub(channel)
        request = quarantine_service_pb2.ListQuarantineEntriesRequest(profile_id=profile)
        return list((await stub.ListQuarantineEntries(request, timeout=10)).entries)


async def _retry(running: Cluster, *profiles: str) -> list[tuple[str, int]]:
    async with open_channel(running.services["rule_evaluator"].address, TOKEN) as channel:
        stub = quarantine_service_pb2_grpc.QuarantineServiceStub(channel)
        request = quarantine_service_pb2.RetryProfilesRequest(profile_ids=profiles)
        answer = await stub.RetryProfiles(request, timeout=40)
        return [(one.profile_id, one.status) for one in answer.outcomes]


async def _answer(
    running: Cluster, profile: str, segment: str = "buyers"
) -> membership_service_pb2.MembershipAnswer:
    question = membership_service_pb2.MembershipQuestion(profile_id=profile, segment=segment)
    request = membership_service_pb2.CheckMembershipsRequest(questions=[question])
    return (await running.memberships.CheckMemberships(request, timeout=30)).answers[0]


async def _command(running: Cluster, *arguments: str) -> tuple[int | None, list[Any]]:
    address = running.services["rule_evaluator"].address
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hairspring.cli.main", "quarantine", *arguments),
        *("--address", address),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | running.addresses,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    return process.returncode, [json.loads(line) for line in said.splitlines()]


async def _told(running: Cluster) -> list[tuple[str, str, str]]:
    return [(c["profile"], c["segment"], c.get("origin", "live")) for c in await running.changes()]


async def test_a_poisonous_event_is_set_aside(running: Cluster, spoil: Any) -> None:
    """All others are evaluated, of its profile too, whose answers say that they lack something."""
    spoil(_is_poison)

    results = await running.track(
        track("anna", "Order Completed", id="a1"),
        track("bea", "Order Completed", id="b1", poison=True),
        track("bea", "Product Viewed", id="b2"),
        track("bea", "Order Completed", id="b3"),
        track("cleo", "Order Completed", id="c1"),
    )
    answers = [await _answer(running, name) for name in ("anna", "bea", "cleo")]

    assert [(one.member, one.incomplete) for one in answers] == [
        (True, False),
        (True, True),
        (True, False),
    ]
    [entry] = await _entries(running, "bea")
    assert (entry.message_id, entry.event_name, entry.position) == (
        "b1",
        "Order Completed",
        results[1].position,
    )
    assert (entry.error_type, entry.error_message, entry.tries) == ("OverflowError", "too large", 3)
    assert "OverflowError: too large" in entry.traceback
    assert not entry.holds_profile
    request = membership_service_pb2.ExplainMembershipRequest(segment="twice", profile_id="bea")
    explained = await running.memberships.ExplainMembership(request, timeout=10)
    assert not explained.member
    assert "without 1 event that could not be evaluated" in explained.notes[0]


async def test_a_retry_folds_in_what_was_set_aside(
    running: Cluster, spoil: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In vain as long as the code is wrong; then the profile stands as if nothing had happened."""
    spoil(_is_poison)
    await running.track(
        track("bea", "Order Completed", id="b1", poison=True),
        track("bea", "Order Completed", id="b2"),
    )
    assert not (await _answer(running, "bea", "twice")).member
    code, lines = await _command(running, "retry", "bea")
    assert (code, lines) == (
        1,
        [{"profile": "bea", "status": "failed", "error": "OverflowError: too large"}],
    )
    code, [line] = await _command(running, "list")
    assert (code, line["profile"], line["what"], line["held"]) == (0, "bea", "event", False)
    assert (line["message_id"], line["error"], line["retries"]) == ("b1", "OverflowError", 1)

    monkeypatch.undo()

    assert await _retry(running, "bea", "nobody") == [("bea", RELEASED)]
    answer = await _answer(running, "bea", "twice")
    assert (answer.member, answer.incomplete) == (True, False)
    assert await _entries(running) == []
    assert sorted(await _told(running)) == [("bea", "buyers", "live"), ("bea", "twice", "repair")]


async def test_an_alarm_that_raises_holds_its_profile(
    running: Cluster, spoil: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is judged, and nothing rings again and again, until it is folded anew."""
    spoil(lambda state, given: not isinstance(given, Event) and "x" in state.traits)
    await running.track(track("dora", "Product Viewed", id="d1"))
    async with open_channel(running.services["ingest"].address, TOKEN) as channel:
        stub = event_service_pb2_grpc.EventServiceStub(channel)
        request = event_service_pb2.IdentifyProfileRequest(
            profile_id="dora", traits_json=b'{"x":1}'
        )
        await stub.IdentifyProfile(request, timeout=10)

    async def held() -> bool:
        return [one.kind for one in await _entries(running)] == [
            quarantine_pb2.QUARANTINE_KIND_ALARM
        ]

    await eventually(held, timeout=20)
    await running.track(
        track("dora", "Order Completed", id="d2"), track("emma", "Order Completed", id="e1")
    )
    answer = await _answer(running, "dora")
    assert (answer.member, answer.incomplete) == (False, True)
    assert (await _answer(running, "emma")).member

    monkeypatch.undo()

    assert await _retry(running, "dora") == [("dora", RELEASED)]
    assert sorted(await _told(running)) == [
        ("dora", "buyers", "repair"),
        ("dora", "lookers", "repair"),
        ("dora", "lookers", "repair"),
        ("emma", "buyers", "live"),
    ]
    answer = await _answer(running, "dora")
    assert (answer.member, answer.incomplete) == (True, False)


async def test_a_state_that_nobody_can_read(running: Cluster, database_url: str) -> None:
    """Its profile is held; a retry makes its state anew, and tells nothing a second time."""
    await running.track(track("fay", "Order Completed", id="f1"))
    assert (await _answer(running, "fay")).member
    connection = await asyncpg.connect(database_url)
    await connection.execute(r"UPDATE rule_evaluator.profiles SET state = '\x01'::bytea")
    await connection.execute(
        "UPDATE rule_evaluator.shards SET epoch = epoch + 1"
    )  # so that the term begins anew, with nothing kept
    await connection.close()

    async def held() -> bool:
        await running.track(track("fay", "Order Completed", id="f2"))
        return (await _answer(running, "fay")).incomplete

    await eventually(held, timeout=30)
    [entry] = await _entries(running)
    assert entry.kind == quarantine_pb2.QUARANTINE_KIND_STATE
    assert await _retry(running, "fay") == [("fay", RELEASED)]
    assert (await _answer(running, "fay")).member
    assert sorted(await _told(running)) == [("fay", "buyers", "live"), ("fay", "twice", "repair")]


async def test_a_profile_that_is_held_can_be_deleted(
    running: Cluster, spoil: Callable[..., None]
) -> None:
    """It is held no more, nothing of it is set aside, and what comes later is judged."""
    broken = True
    spoil(lambda state, given: broken and not isinstance(given, Event))
    await running.track(track("ada", "Product Viewed"), track("ada", "Order Completed"))
    await eventually(lambda: _is_held(running, "ada"), timeout=30)

    async with open_channel(running.services["ingest"].address, TOKEN) as channel:
        await privacy_service_pb2_grpc.PrivacyServiceStub(channel).DeleteProfile(
            privacy_service_pb2.DeleteProfileRequest(profile_id="ada"), timeout=20
        )
    await eventually(lambda: _is_free(running, "ada"), timeout=30)
    broken = False
    await running.track(track("ada", "Order Completed"))

    assert await eventually(lambda: _is_member(running, "ada"), timeout=30)
    assert [one.member for one in [await _answer(running, "ada", "twice")]] == [False]


async def _is_held(running: Cluster, profile: str) -> bool:
    return any(entry.holds_profile for entry in await _entries(running, profile))


async def _is_free(running: Cluster, profile: str) -> bool:
    return not await _entries(running, profile)


async def _is_member(running: Cluster, profile: str) -> bool:
    answer = await _answer(running, profile)
    return answer.member and not answer.incomplete
