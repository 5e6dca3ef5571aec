"""A seeded shop in which everything happens that a condition can ask about."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from hairspring.contracts.event.v1 import event_pb2
from hairspring.definitions import Catalog, Manifest, load
from hairspring.wire.times import iso

from tests.support.cluster import now, track

#: Flows, and the segments that set them off.
FLOWS = {"recovery": "cart-abandoners", "thanks": "big-spenders"}

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
stay: 2s
cooldown: 1s
---
kind: Segment
name: undecided
enter:
  all:
    - segment: hot
    - not: {performed: {event: Order Completed}}
---
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
     unless: {event: Order Completed, by: properties.cart_id}, after: 1s, restart: false}
stay: 2s
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
enter: {inactive: {event: "*", for: 2s}}
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
---
kind: Flow
name: recovery
trigger: {entered: cart-abandoners}
steps:
  - wait: 1s
  - send: {template: recovery}
---
kind: Flow
name: thanks
trigger: {entered: big-spenders}
steps:
  - send: {template: thanks}
---
kind: Template
name: recovery
subject: "Your cart, {{ profile.id }}"
html: "<p>Entered at {{ entered_at }}</p>"
---
kind: Template
name: thanks
subject: "Thank you, {{ profile.id }}"
html: "<p>Entered at {{ entered_at }}</p>"
"""

#: The longest that a moment of the definitions waits for, and a little.
CALM_MS = 5_000

_NAMES = ("Product Viewed", "Product Added", "Product Removed", "Order Completed")
_WEIGHTS = (5, 3, 1, 2)
_LATE_SHARE, _LATEST_MS = 0.1, 3_000
_REPEAT_SHARE = 0.03


def catalog() -> Catalog:
    """The definitions, checked."""
    return load([Manifest(path="shop.yaml", text=DEFINITIONS)])


def addresses(profiles: list[str]) -> list[event_pb2.Event]:
    """One event for each profile, that gives it the address its mails go to."""
    return [
        _call(name, f"identify-{name}", event_pb2.EVENT_TYPE_IDENTIFY, {"email": mailbox(name)})
        for name in profiles
    ]


def mailbox(profile: str) -> str:
    """The address of a profile."""
    return f"{profile}@example.com"


def batches(seed: str, profiles: list[str], size: int) -> Iterator[list[event_pb2.Event]]:
    """Gives batches of live events without end: some late, some at one moment, some sent twice.

    The first profiles do most of it, so that some are always busy and some fall quiet.
    """
    chance, number = random.Random(seed), 0
    while True:
        batch: list[event_pb2.Event] = []
        while len(batch) < size:
            profile = profiles[int(len(profiles) * chance.random() ** 2)]
            batch.append(_event(chance, profile, f"{seed}-{number}"))
            number += 1
            if chance.random() < _REPEAT_SHARE:
                batch.append(batch[-1])
        yield batch


def _event(chance: random.Random, profile: str, id: str) -> event_pb2.Event:
    late = chance.random() < _LATE_SHARE
    at = now() - chance.randrange(1, _LATEST_MS) if late else None
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
    return track(profile, chance.choices(_NAMES, _WEIGHTS)[0], at=at, id=id, **properties)


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
    at: int | None = None,
) -> event_pb2.Event:
    event = track(profile, "", at=at, id=id)
    event.type = kind
    event.properties_json = json.dumps(content).encode()
    return event
