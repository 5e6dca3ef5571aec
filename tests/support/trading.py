"""A seeded shop: who does what, in an order that the seed alone decides."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hairspring.contracts.event.v1 import event_pb2

from tests.support.cluster import now, track

NAMES = ("Product Viewed", "Product Added", "Product Removed", "Order Completed")
WEIGHTS = (60, 25, 5, 10)
LATE_SHARE = 0.05
REPEAT_SHARE = 0.02
LATEST_MS = 4_000


def batches(seed: int, *, events: int, profiles: int, size: int) -> Iterator[list[event_pb2.Event]]:
    """Gives batches of live events: most of now, some late, some sent twice."""
    chance = random.Random(seed)
    batch: list[event_pb2.Event] = []
    for number in range(events):
        profile = f"shopper-{chance.randrange(profiles)}"
        name = chance.choices(NAMES, WEIGHTS)[0]
        at = now() - chance.randrange(1, LATEST_MS) if chance.random() < LATE_SHARE else None
        event = track(
            profile,
            name,
            at=at,
            id=f"{seed}-{number}",
            product_id=f"p{chance.randrange(30)}",
            title=f"Thing {number}",
            price=chance.randrange(5, 200),
        )
        batch.append(event)
        if chance.random() < REPEAT_SHARE:
            batch.append(event)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
