"""A small shop and its shoppers; pure: the same seed gives the same minute.

A shopper visits, looks at things, may put some into the cart and take some out again, and buys or
leaves. All of it is planned before the first event is sent, as actions at seconds from the start.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

VIEWED, ADDED = "Product Viewed", "Product Added"
REMOVED, ORDERED = "Product Removed", "Order Completed"

_SHOPPERS_A_MINUTE = 90
_ARRIVALS_END = 0.8  # the share of the time in which visits begin
_COMES_BACK = 0.35
_CURRENCY = "EUR"

_PRODUCTS = (
    ("Pocket barometer", 84.0),
    ("Brass hourglass", 39.0),
    ("Walnut desk clock", 129.0),
    ("Enamel teapot", 46.5),
    ("Egg timer", 12.9),
    ("Star map", 24.0),
    ("Letter opener", 18.5),
    ("Reading lamp", 74.0),
    ("Linen notebook", 15.0),
    ("Travel alarm clock", 59.0),
    ("Sundial", 145.0),
    ("Magnifying glass", 21.0),
)
_FIRST_NAMES = [
    "Ada",
    "Basil",
    "Clara",
    "Dorian",
    "Edith",
    "Felix",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kaja",
    "Leo",
    "Mira",
    "Nils",
    "Olga",
    "Piet",
    "Quentin",
    "Rosa",
    "Sven",
    "Tilda",
    "Ugo",
    "Vera",
    "Willem",
    "Xenia",
    "Yannick",
    "Zoe",
]
_LAST_NAMES = [
    "Amsel",
    "Brandt",
    "Corte",
    "Dahl",
    "Ekman",
    "Falk",
    "Grieg",
    "Holm",
    "Iversen",
    "Jansen",
    "Keller",
    "Lind",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """Somebody who visits the shop."""

    profile: str
    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a shopper does, and when: seconds from the start. With no event, she is identified."""

    at: float
    shopper: Shopper
    event: str = ""
    properties: dict[str, Any] = field(default_factory=dict)


def plan(seed: int, seconds: float) -> list[Action]:
    """Plan what happens in so many seconds, in the order of time."""
    chance = random.Random(seed)
    shoppers = _shoppers(chance, max(3, round(_SHOPPERS_A_MINUTE * seconds / 60)))
    actions = []
    for shopper in shoppers:
        begin = chance.uniform(0, seconds * _ARRIVALS_END)
        visits = list(_life(chance, shopper, begin))
        actions += [action for action in visits if action.at <= seconds]
    return sorted(actions, key=lambda action: action.at)


def _shoppers(chance: random.Random, count: int) -> list[Shopper]:
    """Make up so many people, each of another name."""
    firsts, lasts = (" ".join(names).split() for names in (_FIRST_NAMES, _LAST_NAMES))
    names = [(first, last) for last in lasts for first in firsts]
    chance.shuffle(names)
    made = []
    for number in range(count):
        first, last = names[number % len(names)]
        again = "" if number < len(names) else str(number // len(names) + 1)
        profile = f"{first}-{last}{again}".lower()
        email = f"{profile.replace('-', '.', 1)}@example.com"
        made.append(Shopper(profile=profile, name=first, email=email))
    return made


def _life(chance: random.Random, shopper: Shopper, at: float) -> Iterator[Action]:
    """Play one shopper: a visit, and perhaps another one later."""
    yield Action(at=at, shopper=shopper)
    visit = _Visit(chance, shopper, at)
    yield from visit.play()
    if chance.random() < _COMES_BACK:
        visit.at += chance.uniform(4, 16)
        yield from visit.play()


class _Visit:
    """One shopper's way through the shop; the cart stays from one visit to the next."""

    def __init__(self, chance: random.Random, shopper: Shopper, at: float) -> None:
        self._chance = chance
        self._shopper = shopper
        self._cart: list[dict[str, Any]] = []
        self._orders = 0
        self.at = at

    def play(self) -> Iterator[Action]:
        """Look at some things, put some in, take some out, and buy or leave."""
        chance = self._chance
        keen = chance.random() < 0.6
        for product in chance.sample(_PRODUCTS, chance.randint(2, 5)):
            yield self._do(VIEWED, _told(product))
            if keen and chance.random() < 0.55:
                line = {**_told(product), "quantity": chance.choice((1, 1, 1, 2))}
                self._cart.append(line)
                yield self._do(ADDED, line)
        if len(self._cart) > 1 and chance.random() < 0.25:
            yield self._do(REMOVED, self._cart.pop(chance.randrange(len(self._cart))))
        if self._cart and chance.random() < 0.45:
            yield self._order()

    def _order(self) -> Action:
        self._orders += 1
        lines, self._cart = self._cart, []
        total = sum(line["price"] * line["quantity"] for line in lines)
        order = f"{self._shopper.profile}-{self._orders}"
        told = {"order_id": order, "total": round(total, 2), "currency": _CURRENCY}
        return self._do(ORDERED, {**told, "products": lines})

    def _do(self, event: str, properties: dict[str, Any]) -> Action:
        self.at += self._chance.uniform(0.3, 1.6)
        return Action(at=self.at, shopper=self._shopper, event=event, properties=properties)


def _told(product: tuple[str, float]) -> dict[str, Any]:
    name, price = product
    product_id = name.lower().replace(" ", "-")
    return {"product_id": product_id, "name": name, "price": price, "currency": _CURRENCY}
