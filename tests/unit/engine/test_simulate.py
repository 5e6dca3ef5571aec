"""Simulation."""

from __future__ import annotations

from collections.abc import Iterable

from hairspring.engine.conditions import Abandoned
from hairspring.engine.plan import Plan
from hairspring.engine.simulate import Finished, Imported, Told, simulate, simulate_accepted

from tests.unit.engine.histories import ADD, BUY, event, lines, segment

PLAN = Plan([segment(Abandoned(pattern=ADD, unless=BUY, after=100))])


def said(found: Iterable[Told]) -> list[str]:
    return [f"{told.profile}: {lines([told.record])[0]}" for told in found]


def test_it_ends_with_the_last_event() -> None:
    """The last event of anybody is the end for everybody."""
    events = [("ada", event("Add", 0)), ("ben", event("Add", 99))]

    assert said(simulate(events, PLAN)) == []
    assert said(simulate([*events, ("cleo", event("Buy", 100))], PLAN)) == [
        "ada: 100 entered carts by time"
    ]


def test_until_ends_it_elsewhere() -> None:
    """Moments up to it are passed, itself included, and later events left out."""
    events = [("ada", event("Add", 0)), ("ada", event("Buy", 150))]

    assert said(simulate(events, PLAN, until=100)) == ["ada: 100 entered carts by time"]
    assert said(simulate(events, PLAN, until=99)) == []


def test_as_accepted_it_shows_what_was_told_live() -> None:
    """A late purchase undoes what event time would never have said."""
    events = [("ada", event("Add", 0)), ("ada", event("Buy", 60, 2, accepted_at=200))]

    assert said(simulate_accepted(events, PLAN)) == [
        "ada: 100 entered carts by time",
        "ada: 100 left carts by Buy@60 late",
    ]
    assert said(simulate([(who, e._replace(accepted_at=e.time)) for who, e in events], PLAN)) == []


def test_an_import_is_judged_when_it_finishes() -> None:
    """Until then it is history that nobody judges; live events of the same profile go on."""
    log: list[tuple[str, object]] = [
        ("ada", Imported(event("Add", 0, 1, accepted_at=1000), "first")),
        ("ada", event("Add", 1001)),
        ("", Finished("first", 1050)),
    ]

    found = said(simulate_accepted(log, PLAN, until=1200))  # type: ignore[arg-type]

    assert found == [
        "ada: 100 entered carts by time",
        "ada: 1001 left carts by time",
        "ada: 1101 entered carts by time",
    ]
