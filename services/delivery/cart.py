"""What is left in a cart: a pure fold of a shop's events, as the Segment e-commerce spec has them.

Product Added puts a line in or raises its quantity, Product Removed lowers it, Order Completed
empties the cart. The events count in the order of their times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

ADDED = "Product Added"
REMOVED = "Product Removed"
ORDERED = "Order Completed"

EVENT_NAMES = (ADDED, REMOVED, ORDERED)
"""The events that a cart is made of."""

MOST = 1_000_000_000
"""The largest quantity and price that count; what lies beyond is nonsense from outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopEvent:
    """An event of a shop: when it happened (ms, UTC), its place in the log, what it says."""

    time: int
    position: int
    name: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A product that is left in the cart. What the events did not tell is None."""

    product_id: str
    name: str | None = None
    price: Decimal | None = None
    quantity: int = 0
    url: str | None = None
    image_url: str | None = None
    currency: str | None = None
    cart_id: str | None = None


def left_in(events: Iterable[ShopEvent]) -> list[Line]:
    """Fold the events of one profile to the lines that are left, in the order they were put in."""
    lines: dict[str, Line] = {}
    for event in sorted(events, key=lambda event: (event.time, event.position)):
        if event.name in _FOLD:
            _FOLD[event.name](lines, event.properties)
    return list(lines.values())


def total(lines: Iterable[Line]) -> Decimal:
    """Add up what the lines cost; a line without a price counts as nothing."""
    prices = (line.price * line.quantity for line in lines if line.price is not None)
    return sum(prices, Decimal(0))


def _add(lines: dict[str, Line], told: Mapping[str, Any]) -> None:
    product = _product(told)
    quantity = _quantity(told)
    if product is None or quantity <= 0:
        return
    line = lines.get(product, Line(product_id=product))
    lines[product] = replace(
        line,
        name=_text(told, "name") or line.name,
        price=_price(told) if _price(told) is not None else line.price,
        quantity=min(line.quantity + quantity, MOST),
        url=_text(told, "url") or line.url,
        image_url=_text(told, "image_url") or line.image_url,
        currency=_text(told, "currency") or line.currency,
        cart_id=_text(told, "cart_id") or line.cart_id,
    )


def _remove(lines: dict[str, Line], told: Mapping[str, Any]) -> None:
    product = _product(told)
    line = lines.get(product) if product is not None else None
    if product is None or line is None:
        return
    quantity = line.quantity - _quantity(told)
    if quantity > 0:
        lines[product] = replace(line, quantity=quantity)
    else:
        del lines[product]


def _order(lines: dict[str, Line], told: Mapping[str, Any]) -> None:
    """Empty the cart; an order that names a cart leaves the lines of other carts in."""
    ordered = _text(told, "cart_id")
    for product, line in list(lines.items()):
        if ordered is None or line.cart_id is None or line.cart_id == ordered:
            del lines[product]


_FOLD: dict[str, Callable[[dict[str, Line], Mapping[str, Any]], None]] = {
    ADDED: _add,
    REMOVED: _remove,
    ORDERED: _order,
}


def _product(told: Mapping[str, Any]) -> str | None:
    """Name the product: its id, else its stock number, else what it is called."""
    return _text(told, "product_id") or _text(told, "sku") or _text(told, "name")


def _text(told: Mapping[str, Any], key: str) -> str | None:
    value = told.get(key)
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _quantity(told: Mapping[str, Any]) -> int:
    """Read a quantity; 1 where none is told, 0 where it makes no sense."""
    value = told.get("quantity")
    if value is None:
        return 1
    number = _number(value)
    return int(number) if number is not None else 0


def _price(told: Mapping[str, Any]) -> Decimal | None:
    return _number(told.get("price"))


def _number(value: object) -> Decimal | None:
    """Read a number that is one, from JSON or from text, between 0 and MOST."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number <= MOST else None
