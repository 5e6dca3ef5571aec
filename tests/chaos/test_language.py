"""What is told live of the whole language is what simulating the log tells, though it is killed."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path

from hairspring.contracts.event.v1 import event_pb2
from hairspring.definitions import Manifest, load
from hairspring.wire.times import iso

from tests.chaos import books
from tests.support.cluster import cluster, now, track
from tests.support.waiting import eventually

EVENTS, PROFILES, KILLS, BATCH = 2_500, 60, 2, 25
#: Longer than anything that a rule waits for.
CALM_MS = 6_000

DEFINITIONS = """
kind: Segment
name: same-product
enter:
  performed:
    {event: Product Viewed, by: properties.product_id, times: ">= 3", within: 4s,
     since: {event: Order Completed, by: properties.product_id}}
cooldown: 1s
---
kind: Segment
name: lost-carts
enter:
  abandoned:
    {event: Product Added, by: properties.cart_id,
     unless: {event: Order Completed, by: properties.cart_id}, after: 2s, restart: false}
stay: 3s
---
kind: Segment
name: straight-on
enter:
  sequence:
    steps: [{event: Product Viewed}, {event: Product Added}, {event: Order Completed}]
    within: 2s
    recent: 3s
---
kind: Segment
name: once-through
enter:
  sequence:
    steps: [{event: Product Viewed}, {event: Product Removed}]
    by: properties.product_id
---
kind: Segment
name: gone-quiet
enter: {inactive: {event: "*", for: 3s}}
---
kind: Segment
name: big-spenders
enter:
  aggregate:
    {event: Order Completed, of: properties.price, fn: sum, is: ">= 120.5", within: 4s}
exit:
  aggregate: {event: Product Removed, of: properties.price, fn: max, is: "> 150", within: 1s}
---
kind: Segment
name: broad-taste
enter:
  aggregate: {event: Product Viewed, of: properties.product_id, fn: count_distinct, is: ">= 5"}
---
kind: Segment
name: gold
enter:
  any:
    - profile: traits.plan == "gold" && traits.visits >= 3
    - profile: '"vip" in traits.tags'
---
kind: Segment
name: trial-ends
enter: {date: {trait: trial_ends, from: -2s, until: 1s}}
---
kind: Segment
name: birthday
enter: {anniversary: {trait: born, from: -1d, until: 2d, timezone: {trait: zone}}}
---
kind: Segment
name: quiet-gold
enter:
  all: [{segment: gold}, {not: {segment: gone-quiet}}]
"""

NAMES = ("Product Viewed", "Product Added", "Product Removed", "Order Completed")


async def test_the_whole_language(tmp_path: Path, database_url: str, redis_url: str) -> None:
    """Late, repeated and simultaneous events, traits and tags, while the evaluator is killed."""
    services = ("ingest", "rule_evaluator")
    async with cluster(tmp_path, database_url, redis_url, services=services) as running:
        assert await running.apply(DEFINITIONS) == []

        async def kill() -> None:
            for _ in range(KILLS):
                await asyncio.sleep(0.8)  # it is to be busy when it dies
                await running.services["rule_evaluator"].kill()
                await running.services["rule_evaluator"].start()

        killing = asyncio.create_task(kill(), name="killer")
        for batch in batches(random.Random(5)):
            for result in await running.track(*batch):
                assert not result.problem
        await killing
        until = now() + CALM_MS
        await eventually(lambda: now() > until + 100, timeout=CALM_MS / 1000 + 5)
        await running.settled(f"p{n}" for n in range(PROFILES))

        log = await running.event_log()
        wanted = books.expected(log, load([Manifest(path="a.yaml", text=DEFINITIONS)]), until)
        assert {line["segment"] for line in wanted} == {
            name.split()[1] for name in DEFINITIONS.splitlines() if name.startswith("name:")
        }
        assert any("groups" in line for line in wanted)
        assert any(line["cause"].get("late") for line in wanted)
        assert books.ordered(await running.changes(), iso(until)) == wanted


def batches(chance: random.Random) -> Iterator[list[event_pb2.Event]]:
    """A shop in which everything happens that a condition can ask about."""
    made: list[event_pb2.Event] = []
    for number in range(EVENTS):
        made.append(_event(chance, number))
        if chance.random() < 0.03:
            made.append(made[-1])  # a repeat
        if len(made) >= BATCH:
            yield made
            made = []
    yield made


def _event(chance: random.Random, number: int) -> event_pb2.Event:
    profile, id = f"p{chance.randrange(PROFILES)}", f"m{number}"
    at = now() - chance.randrange(1, 3_000) if chance.random() < 0.1 else None
    kind = chance.random()
    if kind < 0.04:
        return _call(profile, id, event_pb2.EVENT_TYPE_IDENTIFY, _traits(chance), at)
    if kind < 0.08:
        types = (event_pb2.EVENT_TYPE_ADD_TAGS, event_pb2.EVENT_TYPE_REMOVE_TAGS)
        return _call(profile, id, chance.choice(types), {"tags": ["vip"]}, at)
    properties: dict[str, object] = {
        "product_id": chance.choice((1, 1.0, "1", 2, "two", True, None, 7, 8)),
        "price": chance.choice((0.1, 20, 49.9, 80.25, 160, "dear")),
    }
    if chance.random() < 0.7:
        properties["cart_id"] = chance.randrange(2)
    return track(profile, chance.choices(NAMES, (5, 3, 1, 2))[0], at=at, id=id, **properties)


def _traits(chance: random.Random) -> dict[str, object]:
    days = [iso(now() + day * 86_400_000)[:10] for day in (-40, -1, 0, 1)]
    choices: dict[str, list[object]] = {
        "plan": ["gold", "free", None],
        "visits": [1, 3, 4.0, "many"],
        "trial_ends": [iso(now() + 3_000), iso(now() + 1_500), "soon"],
        "born": [f"1984{day[4:]}" for day in days],
        "zone": ["Asia/Tokyo", "America/New_York", "Mars"],
    }
    names = chance.sample(sorted(choices), 3)
    return {name: chance.choice(choices[name]) for name in names}


def _call(
    profile: str,
    id: str,
    kind: event_pb2.EventType.ValueType,
    content: dict[str, object],
    at: int | None,
) -> event_pb2.Event:
    event = track(profile, "", at=at, id=id)
    event.type = kind
    event.properties_json = json.dumps(content).encode()
    return event
