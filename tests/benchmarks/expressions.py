"""Expressions: what one costs that looks at an event, beside the same thing written in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from hairspring.engine.events import Event, Predicate
from hairspring.expressions import compile_where

from tests.benchmarks.engine import events
from tests.benchmarks.figures import Figure, Size, microseconds, ratio

_COMMAND = "python -m tests.benchmarks --only expressions"
_GOAL = "a few"

_CASES: dict[str, tuple[str, Predicate]] = {
    "a comparison": (
        "properties.price >= 20.0",
        lambda event: event.properties["price"] >= 20.0,
    ),
    "two of them": (
        'properties.price >= 20.0 && properties.currency == "EUR"',
        lambda event: event.properties["price"] >= 20.0 and event.properties["currency"] == "EUR",
    ),
    "one of a list": (
        'properties.product_id in ["sku-00001", "sku-00007", "sku-00023"]',
        lambda event: event.properties["product_id"] in ("sku-00001", "sku-00007", "sku-00023"),
    ),
    "arithmetic": (
        "double(properties.quantity) * properties.price > 100.0",
        lambda event: event.properties["quantity"] * event.properties["price"] > 100.0,
    ),
}


def figures(size: Size, directory: Path, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure the commonest shapes, and one that only the library can do."""
    history = [event for _, event in events(size.steps)]
    for name, (text, by_hand) in _CASES.items():
        say(text)
        compiled = compile_where(text)
        if [*map(compiled, history)] != [*map(by_hand, history)]:
            raise AssertionError(f"{text} answers something else than what was written by hand")
        rounds = [(_round(compiled, history), _round(by_hand, history)) for _ in range(size.rounds)]
        values, limits = zip(*rounds, strict=True)
        yield Figure(
            name=f"expression, {name}",
            unit="µs",
            values=values,
            goal=_GOAL if name != "arithmetic" else "",
            command=_COMMAND,
            ratio=f"{ratio(values, limits):.1f} of Python",
            note=text,
        )


def _round(predicate: Predicate, history: list[Event]) -> float:
    # New tuples, as in life: nothing is known of an event from an expression before.
    fresh = [event._replace(order=event.order + 1) for event in history]

    def work() -> int:
        for event in fresh:
            predicate(event)
        return len(fresh)

    return microseconds(work)
