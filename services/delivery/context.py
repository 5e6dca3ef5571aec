"""What a template can name: the profile, the segment, what set it off, and the cart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hairspring.services.delivery import cart
from hairspring.services.delivery.cart import Line, ShopEvent
from hairspring.services.delivery.runs import Run
from hairspring.wire.times import iso


def context_of(
    run: Run,
    profile: str,
    traits: Mapping[str, Any],
    trigger: Sequence[ShopEvent] = (),
    lines: Sequence[Line] = (),
) -> dict[str, Any]:
    """Build the names that a template of this run can use. Times are ISO 8601 in UTC.

    `profile` holds the traits and the id, which is not the run's where that one became part of it;
    `trigger` the events that set off the run, oldest first; `cart` what is left of it, and
    `cart_total` what that costs.
    """
    currencies = {line.currency for line in lines if line.currency}
    return {
        "profile": {**traits, "id": profile},
        "segment": run.segment,
        "flow": run.flow,
        "entered_at": iso(run.entered_at),
        "trigger": [_told(event) for event in trigger],
        "cart": [_line(line) for line in lines],
        "cart_total": _number(cart.total(lines)),
        "currency": currencies.pop() if len(currencies) == 1 else None,
    }


def _told(event: ShopEvent) -> dict[str, Any]:
    return {"name": event.name, "time": iso(event.time), "properties": dict(event.properties)}


def _line(line: Line) -> dict[str, Any]:
    return {
        "product_id": line.product_id,
        "name": line.name,
        "price": None if line.price is None else _number(line.price),
        "quantity": line.quantity,
        "url": line.url,
        "image_url": line.image_url,
        "currency": line.currency,
    }


def _number(value: Decimal) -> int | float:
    """Give Liquid a number that it can count with: it knows no decimals."""
    return int(value) if value == value.to_integral_value() else float(value)
