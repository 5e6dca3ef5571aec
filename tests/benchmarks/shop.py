"""Writes the history of a shop that nobody visited, always the same for the same seed.

    python -m tests.benchmarks.shop build/bench/shop.jsonl --events 2000000 --profiles 100000

Customers come by in visits of a dozen minutes or so, look around, add to the cart, and buy or do
not. Lines are in the order of time over all profiles, a few come twice, and each is some 270 bytes
in the Segment spec, with five properties.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

DAYS = 30
REPEATS = 0.002
_BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
_LONGEST_PAUSE_MS = 180_000

#: What a visit is made of, and how often in a hundred events of looking around.
_LOOKING = {
    "Product Viewed": 34,
    "Product List Viewed": 16,
    "Products Searched": 11,
    "Product Clicked": 10,
    "Promotion Viewed": 8,
    "Promotion Clicked": 3,
    "Product Added": 7,
    "Product Removed": 2,
    "Product Added to Wishlist": 2,
    "Product Shared": 1,
    "Product Reviewed": 1,
    "Cart Viewed": 4,
    "Coupon Entered": 1,
}
_BUYING = (
    "Checkout Started",
    "Checkout Step Viewed",
    "Checkout Step Completed",
    "Payment Info Entered",
    "Coupon Applied",
    "Order Completed",
)
_AFTERWARDS = "Order Cancelled"
NAMES = (*_LOOKING, *_BUYING, _AFTERWARDS)

_PRODUCTS = [
    f'"product_id":"sku-{number:05d}","name":"{finish} {thing}","price":{price},"currency":"EUR"'
    for number, (finish, thing, price) in enumerate(
        (finish, thing, round(4.9 + 7.3 * (a + 3 * b), 2))
        for a, finish in enumerate(("Brass", "Walnut", "Slate", "Linen", "Copper", "Glass"))
        for b, thing in enumerate(("hourglass", "egg timer", "alarm clock", "sundial", "metronome"))
    )
]


def lines(*, events: int, profiles: int, seed: int = 1) -> Iterator[bytes]:
    """Give as many lines as `events` says, of as many profiles if there are enough lines."""
    random = Random(seed)
    visits = _in_order_of_time(_visits(random, events, profiles))
    earlier = b""
    for number in range(events):
        if earlier and random.random() < REPEATS:
            yield earlier
            continue
        time, _, profile, name = next(visits)
        line = _line(random, number, time, profile, name)
        yield line
        if number % 500 == 0:
            earlier = line


def write(path: Path, *, events: int, profiles: int, seed: int = 1) -> None:
    """Write the history to a file; a file that is there is complete, and of these numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb", 1024 * 1024) as file:
        file.writelines(lines(events=events, profiles=profiles, seed=seed))
    unfinished.replace(path)


Happening = tuple[int, int, int, str]
"""Milliseconds since the beginning, the number of the visit, the profile, the event's name."""


def _in_order_of_time(visits: Iterator[list[Happening]]) -> Iterator[Happening]:
    """Merge visits, which come in the order of their beginnings."""
    open_ones: list[Happening] = []
    for visit in visits:
        while open_ones and open_ones[0][0] <= visit[0][0]:
            yield heapq.heappop(open_ones)
        for happening in visit:
            heapq.heappush(open_ones, happening)


def _visits(random: Random, events: int, profiles: int) -> Iterator[list[Happening]]:
    """Give visits without end: first one of each profile, then more of those who come often."""
    order = list(range(profiles))
    random.shuffle(order)
    between = DAYS * 86_400_000 / max(1, events / 10)
    began, number = 0.0, 0
    while True:
        began += random.expovariate(1 / between)
        who = order[number] if number < profiles else order[int(random.random() ** 2 * profiles)]
        yield _visit(random, int(began), number, who)
        number += 1


def _visit(random: Random, began: int, number: int, profile: int) -> list[Happening]:
    names = random.choices(list(_LOOKING), list(_LOOKING.values()), k=random.randint(2, 14))
    if "Product Added" in names and random.random() < 0.45:
        names += _BUYING
        if random.random() < 0.05:
            names.append(_AFTERWARDS)
    happenings, time = [], began
    for name in names:
        happenings.append((time, number, profile, name))
        time += random.randrange(1, _LONGEST_PAUSE_MS)
    return happenings


def _line(random: Random, number: int, time: int, profile: int, name: str) -> bytes:
    written = (_BEGIN + timedelta(milliseconds=time)).isoformat(timespec="milliseconds")[:23]
    return (
        f'{{"type":"track","messageId":"{number:08x}-{random.getrandbits(96):024x}",'
        f'"userId":"customer-{profile:06d}","event":"{name}","timestamp":"{written}Z",'
        f'"properties":{{{random.choice(_PRODUCTS)},"quantity":{random.randint(1, 3)}}}}}\n'
    ).encode()


def main(arguments: list[str]) -> None:
    """Write a file as the arguments say."""
    parser = argparse.ArgumentParser(description="Writes the history of a shop.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    write(given.path, events=given.events, profiles=given.profiles, seed=given.seed)


if __name__ == "__main__":
    main(sys.argv[1:])
