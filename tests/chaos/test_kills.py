"""Services are killed while a shop is busy, and nothing is lost, doubled or overtaken.

The short form runs with the other tests; HAIRSPRING_CHAOS=full sends 20,000 events and kills each
service ten times (`make chaos`). HAIRSPRING_CHAOS_SEED chooses the shop.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest
from hairspring.contracts.flow.v1 import flow_service_pb2, run_pb2
from hairspring.contracts.message.v1 import message_pb2, message_service_pb2
from hairspring.definitions import Manifest, load
from hairspring.embedded.mail import MailSink
from hairspring.wire.times import iso

from tests.chaos import books, shop
from tests.support.cluster import Cluster, cluster, now
from tests.support.waiting import eventually

FULL = os.environ.get("HAIRSPRING_CHAOS") == "full"
SEED = int(os.environ.get("HAIRSPRING_CHAOS_SEED", "1"))
EVENTS = 20_000 if FULL else 3_000
KILLS = 10 if FULL else 2
PROFILES = 2_000 if FULL else 300
PACE_SECONDS = 0.05 if FULL else 0.02

DEFINITIONS = """
kind: Segment
name: cart-abandoners
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 2s}
---
kind: Segment
name: hot
enter:
  performed: {event: Product Viewed, times: ">= 3", within: 3s}
exit:
  performed: {event: Order Completed, within: 1s}
stay: 4s
cooldown: 2s
---
kind: Segment
name: undecided
enter:
  all:
    - segment: hot
    - not: {performed: {event: Order Completed}}
---
kind: Flow
name: recovery
trigger: {entered: cart-abandoners}
steps:
  - send: {template: recovery}
---
kind: Template
name: recovery
subject: "Your cart, {{ profile.id }}"
html: "<p>Entered at {{ entered_at }}</p>"
"""


@pytest.mark.parametrize("victim", ["rule_evaluator", "ingest", "delivery"])
async def test_killed_services(
    victim: str, tmp_path: Path, database_url: str, redis_url: str, mail_sink: MailSink
) -> None:
    """Live transitions equal the simulation of the log, however often a service is killed."""
    async with cluster(tmp_path, database_url, redis_url, smtp_url=mail_sink.url) as running:
        assert await running.apply(DEFINITIONS) == []
        await _identify(running)
        acknowledged = await _trade_and_kill(running, victim)
        until = await _quiet(running)
        await _check_log(running, acknowledged)
        await _check_transitions(running, until)
        await _check_mails(running, mail_sink)


async def _identify(running: Cluster) -> None:
    """Give everybody an address."""
    from hairspring.contracts.event.v1 import event_pb2

    for start in range(0, PROFILES, 500):
        await running.track(
            *(
                event_pb2.Event(
                    profile_id=f"shopper-{n}",
                    message_id=f"identify-{n}",
                    type=event_pb2.EVENT_TYPE_IDENTIFY,
                    properties_json=b'{"email": "shopper-%d@example.com"}' % n,
                )
                for n in range(start, min(start + 500, PROFILES))
            )
        )


async def _trade_and_kill(running: Cluster, victim: str) -> set[str]:
    """Send the shop's events while a service is killed and started again, some times."""
    acknowledged: set[str] = set()
    killing = asyncio.create_task(_kill(running, victim), name="killer")
    size = 50 if FULL else 20
    for batch in shop.batches(SEED, events=EVENTS, profiles=PROFILES, size=size):
        for result in await running.track(*batch):
            assert not result.problem
            acknowledged.add(result.message_id)
        await asyncio.sleep(PACE_SECONDS)
    await killing
    return acknowledged


async def _kill(running: Cluster, victim: str) -> None:
    service = running.services[victim]
    for _ in range(KILLS):
        await asyncio.sleep(1.0)  # the service is to be busy when it dies
        await service.kill()
        await service.start()


async def _quiet(running: Cluster) -> int:
    """Wait until every deadline has passed and has been judged; answer that moment."""
    until = now() + 4_500
    await asyncio.sleep(4.6)  # until no rule waits for anything any more
    await running.settled(f"shopper-{n}" for n in range(PROFILES))
    return until


async def _check_log(running: Cluster, acknowledged: set[str]) -> None:
    log = await running.event_log()
    ids = Counter(record.event.message_id for record in log)
    assert acknowledged <= ids.keys(), "an acknowledged event is not in the log"
    assert max(ids.values()) == 1, "an event is twice in the log"
    assert [record.position for record in log] == list(range(1, len(log) + 1))


async def _check_transitions(running: Cluster, until: int) -> None:
    catalog = load([Manifest(path="chaos.yaml", text=DEFINITIONS)])
    wanted = books.expected(await running.event_log(), catalog, until)
    got = books.ordered(await running.changes(), iso(until))
    assert len(wanted) > PROFILES / 4
    assert got == wanted


async def _check_mails(running: Cluster, sink: MailSink) -> None:
    """Each entry has one run that came to its end and at most one mail, and none is missing."""
    entered = sum(
        change["change"] == "entered" and change["segment"] == "cart-abandoners"
        for change in await running.changes()
    )
    await eventually(lambda: _runs_ended(running, entered), timeout=60, every=0.2)
    mails = Counter(
        (sunk.recipients[0], sunk.message.get_body(("html",)).get_content())
        for sunk in sink.messages
    )
    assert max(mails.values(), default=0) <= 1, "a mail went out twice for one entry"
    answer = await running.messages.CountMessages(message_service_pb2.CountMessagesRequest())
    by_status = {count.status: count.messages for count in answer.counts}
    sent = by_status.get(message_pb2.MESSAGE_STATUS_SENT, 0)
    unknown = by_status.get(message_pb2.MESSAGE_STATUS_UNKNOWN, 0)
    assert sent <= len(sink.messages) <= sent + unknown
    assert sum(by_status.values()) <= entered
    print("mails:", {message_pb2.MessageStatus.Name(k): v for k, v in by_status.items()}, entered)


async def _runs_ended(running: Cluster, entered: int) -> bool:
    """Delivery has read every entry, and has come to an end with each."""
    request = flow_service_pb2.ListRunsRequest(page_size=10_000)
    runs = (await running.flows.ListRuns(request, timeout=10, wait_for_ready=True)).runs
    active = sum(run.status == run_pb2.RUN_STATUS_ACTIVE for run in runs)
    assert (len(runs), active) == (entered, 0)
    return True
