"""What Prometheus finds when it scrapes the services."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hairspring.embedded.ports import free_port
from hairspring.runtime.metrics import MetricsPortTaken, serve_metrics
from prometheus_client.parser import text_string_to_metric_families

from tests.support.cluster import cluster, track
from tests.support.waiting import eventually

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


async def _ask(address: str, request: str) -> str:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{request}\r\nHost: {address}\r\n\r\n".encode())
    async with asyncio.timeout(30):
        said = await reader.read()
    writer.close()
    return said.decode()


async def _scrape(address: str) -> dict[str, float]:
    """Every sample by its name and labels, such as `x_total{status="accepted"}`."""
    head, _, body = (await _ask(address, "GET /metrics HTTP/1.1")).partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    found = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def test_a_scrape_tells_what_happened(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """Events, transitions, how late they and the alarms were, and how far each shard is behind."""
    ingest, evaluator = (f"127.0.0.1:{free_port()}" for _ in range(2))
    async with cluster(
        tmp_path,
        database_url,
        redis_url,
        services=("ingest", "rule_evaluator"),
        shards="4",
        ingest_metrics=ingest,
        evaluator_metrics=evaluator,
    ) as running:
        assert await running.apply(SEGMENTS) == []
        event = track("ada", "Order Completed", id="m1")
        await running.track(
            event, track("bo", "Product Viewed", id="m2"), track("", "None", id="m3")
        )
        await running.track(event)
        await eventually(lambda: _told(evaluator, "hairspring_alarm_lateness_seconds_count"), 20)
        taken_in, judged = await _scrape(ingest), await _scrape(evaluator)

    name = "hairspring_ingest_events_total"
    statuses = {one: taken_in[f'{name}{{status="{one}"}}'] for one in ("accepted", "repeated")}
    assert statuses == {"accepted": 2, "repeated": 1}
    assert taken_in[f'{name}{{status="refused"}}'] == 1
    assert taken_in["hairspring_ingest_group_events_count"] >= 2
    assert taken_in["hairspring_log_head_position"] == 2
    assert judged["hairspring_events_evaluated_total"] == 2
    assert judged['hairspring_transitions_total{change="entered"}'] == 2
    assert judged["hairspring_transition_latency_seconds_count"] == 1
    assert [judged[f'hairspring_shard_lag_positions{{shard="{one}"}}'] for one in range(4)] == [
        0
    ] * 4
    assert judged["hairspring_shards_owned"] == 4
    assert judged["hairspring_shards_acquired_total"] == 4
    assert judged["hairspring_timers_away"] == 0
    assert judged["hairspring_timers_pending"] == 0
    assert judged["hairspring_quarantined_profiles"] == 0


async def _told(address: str, name: str) -> bool:
    return (await _scrape(address)).get(name, 0) > 0


async def test_what_cannot_be_asked_leaves_the_rest() -> None:
    """A refresh that fails costs its own metrics only, and other requests are answered plainly."""

    async def fails() -> None:
        raise OSError("Redis is away")

    async with serve_metrics("127.0.0.1:0", [fails]) as address:
        assert "process_cpu_seconds_total" in await _scrape(address)
        assert " 404 " in await _ask(address, "GET / HTTP/1.1")
        assert " 405 " in await _ask(address, "POST /metrics HTTP/1.1")
        assert await _ask(address, "nonsense") == ""
        with pytest.raises(MetricsPortTaken, match=address):
            async with serve_metrics(address):
                pass
    async with serve_metrics("") as nowhere:
        assert nowhere == ""
