"""The logs answer whether it fired, and why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hairspring.contracts.event.v1 import event_service_pb2
from structlog.testing import capture_logs

from tests.support.cluster import Cluster, track
from tests.support.waiting import eventually
from tests.support.within import within

SEGMENTS = """
kind: Segment
name: buyers
enter:
  performed: {event: Order Completed}
---
kind: Segment
name: lookers
enter:
  abandoned: {event: Product Viewed, unless: {event: Order Completed}, after: 1s}
"""
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "a value that belongs in no log"


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured


async def _call(running: Cluster, profile: str, name: str, id: str) -> None:
    request = event_service_pb2.TrackEventRequest(event=track(profile, name, id=id, note=SECRET))
    parent = f"00-{CALLER}-00f067aa0ba902b7-01"
    await running.events.TrackEvent(request, timeout=10, metadata=[("traceparent", parent)])


async def test_one_id_leads_from_a_call_to_what_it_brought(
    tmp_path: Path, database_url: str, redis_url: str, lines: list[Any]
) -> None:
    """The caller's trace names the event's, which every line about it bears; no value is told."""
    async with within(tmp_path, database_url, redis_url, evaluator_log_detail="events") as running:
        await running.apply(SEGMENTS)
        await _call(running, "ada", "Order Completed", "m1")
        await _call(running, "bo", "Product Viewed", "m2")
        await eventually(lambda: any(one["event"] == "alarm_rang" for one in lines), timeout=20)

    [recorded, _] = [one for one in lines if one.get("caller_trace_id") == CALLER]
    [event] = recorded["events"]
    assert (event["message_id"], event["status"]) == ("m1", "accepted")
    traced = [one for one in lines if one.get("trace_id") == event["trace_id"]]
    assert {one["event"] for one in traced} == {"event_evaluated", "segment_entered"}
    [entered] = [one for one in traced if one["event"] == "segment_entered"]
    assert (entered["profile"], entered["segment"], entered["message_id"]) == (
        "ada",
        "buyers",
        "m1",
    )
    assert entered["event_position"] == event["position"]
    assert entered["late_by_ms"] >= 0

    [looked] = [one for one in lines if one.get("message_id") == "m2"]
    [rang] = [one for one in lines if one["event"] == "alarm_rang"]
    assert (looked["changes"], looked["next_at"]) == (0, rang["due_at"])
    assert (rang["profile"], rang["changes"], rang["next_at"]) == ("bo", 1, None)
    [by_time] = [one for one in lines if one.get("cause") == "time"]
    assert (by_time["trace_id"], by_time["effective_at"]) == (rang["trace_id"], rang["due_at"])
    assert by_time["evidence"] == [looked["position"]]
    assert SECRET not in str(lines)


async def test_lines_of_changes_can_be_turned_off(
    tmp_path: Path, database_url: str, redis_url: str, lines: list[Any]
) -> None:
    """With the detail `nothing`, a transition is not logged."""
    async with within(tmp_path, database_url, redis_url, evaluator_log_detail="nothing") as running:
        await running.apply(SEGMENTS)
        await running.track(track("ada", "Order Completed", id="m1"))
        await running.settled(["ada"])
        assert len(await running.changes()) == 1

    assert [one for one in lines if "segment" in one] == []
