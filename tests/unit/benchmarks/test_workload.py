"""The workload of the pipeline is what it says it is."""

from __future__ import annotations

import json
import os
from itertools import islice
from random import Random

from hairspring.contracts.event.v1 import event_service_pb2
from hairspring.engine.events import Event
from hairspring.engine.records import Transition
from hairspring.engine.step import step
from hairspring.store.encoding import decode

from tests.benchmarks import cpu, definitions
from tests.benchmarks.workload import PROPERTIES_BYTES, Requests, kinds, pasts

NOW = 1_780_000_000_000


def test_requests_hold_what_senders_would_send() -> None:
    """Every event has an id of its own, a profile out of those there are, and its properties."""
    requests = Requests(profiles=50, batch=40)
    events = [
        event
        for _ in range(25)
        for event in event_service_pb2.BatchTrackEventsRequest.FromString(requests.make()).events
    ]

    assert len({event.message_id for event in events}) == len(events) == 1_000
    assert len({event.profile_id for event in events}) == 50
    assert {len(event.properties_json) for event in events} == {PROPERTIES_BYTES}
    assert {len(json.loads(event.properties_json)) for event in events} == {5}


def test_one_event_in_twenty_changes_a_membership() -> None:
    """For profiles with the past that is stored, five to eight in a hundred do for five minutes.

    At 20,000 events a second over 100,000 profiles, each has one every five seconds.
    """
    plan, known, random = definitions.plan(), kinds(), Random(1)
    changes = events = 0
    for past in islice(pasts(plan, now=NOW), 100):
        state, time = decode(past.state), NOW
        assert past.due_at is None or past.due_at > NOW
        for order in range(1, 61):
            time += random.randrange(1, 10_000)
            name, properties = random.choice(known)
            event = Event(name, time, order, time, properties=properties)
            state, records, _ = step(state, event, plan)
            changes += sum(isinstance(record, Transition) for record in records)
            events += 1

    assert 0.05 < changes / events < 0.08


def test_what_a_process_takes_is_counted() -> None:
    """Time that this process takes shows, by its number."""
    before = cpu.seconds(os.getpid())
    while cpu.seconds(os.getpid()) == before:
        sum(range(10_000))
    assert cpu.megabytes(os.getpid()) > 1
