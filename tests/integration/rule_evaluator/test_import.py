"""History is imported through running services and gives what simulation gives."""

from __future__ import annotations

import asyncio
import csv
import json
import random
from datetime import datetime
from pathlib import Path

import pytest
from hairspring.contracts.event.v1 import event_pb2, event_service_pb2
from hairspring.definitions import Manifest, load
from hairspring.wire.times import iso

from tests.chaos import books
from tests.support.cluster import Cluster, cluster, now, track
from tests.support.shared_data import shared_data

DEFINITION = """
kind: Segment
name: cart-abandoners
enter:
  abandoned:
    event: Product Added
    unless: {{event: Order Completed}}
    after: 1h
    restart: {restart}
"""


def otto() -> list[event_pb2.Event]:
    """Real shop sessions, as an import sends them."""
    events = []
    for line in shared_data("otto/events.jsonl").read_text().splitlines():
        said = json.loads(line)
        at = round(datetime.fromisoformat(said["timestamp"]).timestamp() * 1000)
        events.append(
            track(said["userId"], said["event"], at=at, id=said["messageId"], **said["properties"])
        )
    return events


def expected_entries(restart: str) -> list[tuple[str, str]]:
    """Who enters when, by two independent computations."""
    with shared_data(f"otto/expected_entries_restart_{restart}_1h.csv").open() as file:
        return sorted((row["entered_at"], row["user_id"]) for row in csv.DictReader(file))


async def import_events(running: Cluster, events: list[event_pb2.Event], name: str) -> None:
    """Import events under a name, without finishing."""
    for start in range(0, len(events), 100):
        request = event_service_pb2.ImportEventsRequest(
            import_id=name, events=events[start : start + 100]
        )
        answer = await running.events.ImportEvents(request, timeout=30)
        assert not [result.problem for result in answer.results if result.problem]


async def finish(running: Cluster, name: str) -> None:
    """Finish an import, and wait until the profiles have been rebuilt."""
    await running.events.FinishImport(
        event_service_pb2.FinishImportRequest(import_id=name), timeout=30
    )


def entries(changes: list[dict[str, object]], before: str = "2023") -> list[tuple[str, str]]:
    """The entries among transitions, up to a time."""
    return sorted(
        (str(change["effective_at"]), str(change["profile"]))
        for change in changes
        if change["change"] == "entered" and str(change["effective_at"]) < before
    )


@pytest.mark.parametrize("restart", ["true", "false"])
@pytest.mark.parametrize("shuffled", [False, True])
async def test_otto_is_imported_exactly(
    tmp_path: Path, database_url: str, redis_url: str, restart: str, shuffled: bool
) -> None:
    """The import enters exactly the profiles at exactly the times, in whatever order it comes."""
    events = otto()
    if shuffled:
        random.Random(7).shuffle(events)
    services = ("ingest", "rule_evaluator")
    async with cluster(tmp_path, database_url, redis_url, services=services) as running:
        assert await running.apply(DEFINITION.format(restart=restart)) == []
        await import_events(running, events, "otto")
        await running.settled(f"otto-{n}" for n in range(20))
        assert await running.changes() == []
        await finish(running, "otto")
        await running.settled(f"otto-{n}" for n in range(20))
        changes = await running.changes()
        assert entries(changes) == expected_entries(restart)
        assert {change["origin"] for change in changes} == {"import"}


async def test_an_import_beside_live_traffic(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """Live events of the same and of other profiles go on, and the history comes out the same."""
    events = otto()
    random.Random(11).shuffle(events)
    people = [f"otto-{n}" for n in range(20)] + [f"other-{n}" for n in range(20)]
    definition = DEFINITION.format(restart="true").replace("1h", "1s")
    hour = DEFINITION.format(restart="true").replace("cart-abandoners", "hourly")
    text = definition + "---" + hour
    services = ("ingest", "rule_evaluator")
    async with cluster(tmp_path, database_url, redis_url, services=services) as running:
        assert await running.apply(text) == []
        await import_events(running, events[:20], "otto")
        first = {event.profile_id for event in events[:20]}
        live = asyncio.create_task(_trade(running, [p for p in people if p in first]))
        await import_events(running, events[20:], "otto")
        late = asyncio.create_task(_trade(running, people))
        await finish(running, "otto")
        await asyncio.gather(live, late)
        await asyncio.sleep(1.2)  # until the last carts of the live traffic are abandoned
        until = now()
        await running.settled(people)
        changes = await running.changes()
        hourly = [change for change in changes if change["segment"] == "hourly"]
        wanted = [entry for entry in expected_entries("true") if entry[1] in first]
        assert [e for e in entries(hourly) if e[1] in first] == wanted
        catalog = load([Manifest(path="test.yaml", text=text)])
        got = books.ordered(changes, iso(until))
        assert got == books.expected(await running.event_log(), catalog, until)


async def _trade(running: Cluster, people: list[str]) -> None:
    for number in range(40):
        name = "Order Completed" if number % 5 == 4 else "Product Added"
        await running.track(*(track(person, name) for person in people))
        await asyncio.sleep(0.01)


async def test_a_profile_that_was_live_is_compared_at_its_clock(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """Imported history of somebody who was judged before changes her now, not her past."""
    services = ("ingest", "rule_evaluator")
    async with cluster(tmp_path, database_url, redis_url, services=services) as running:
        assert await running.apply(DEFINITION.format(restart="true")) == []
        [seen] = await running.track(track("anna", "Product Viewed"))
        await running.settled(["anna"])
        await import_events(running, [track("anna", "Product Added", at=1_600_000_000_000)], "i")
        await finish(running, "i")
        await running.settled(["anna"])
        [change] = await running.changes()
        assert change["change"] == "entered"
        assert change["effective_at"] == iso(seen.accept_time.ToMilliseconds())
        assert change["origin"] == "import"


async def test_a_definition_counts_what_happened_before_it(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """A segment that is applied after the events has its members, with the origin definition."""
    services = ("ingest", "rule_evaluator")
    async with cluster(tmp_path, database_url, redis_url, services=services) as running:
        await running.track(track("anna", "Order Completed"), track("bea", "Product Viewed"))
        text = "kind: Segment\nname: buyers\nenter:\n  performed: {event: Order Completed}\n"
        assert await running.apply(text) == []
        await running.settled(["anna", "bea"])
        [change] = await running.changes()
        assert (change["profile"], change["origin"]) == ("anna", "definition")
