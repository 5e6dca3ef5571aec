"""Real shop sessions: who abandons a cart, and when."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hairspring.engine.conditions import Abandoned
from hairspring.engine.events import Event
from hairspring.engine.plan import Plan
from hairspring.engine.records import Change, Origin, Transition
from hairspring.engine.segments import Segment
from hairspring.engine.simulate import Finished, Imported, Told, simulate, simulate_accepted
from hairspring.engine.streams import Pattern

from tests.support.shared_data import shared_data

HOUR = 3_600_000
Entries = list[tuple[int, str]]


def milliseconds(text: str) -> int:
    """An ISO 8601 time in milliseconds since the epoch, UTC."""
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(milliseconds=1)


def events() -> list[tuple[str, Event]]:
    """The sessions as the file has them: one after the other."""
    lines = shared_data("otto/events.jsonl").read_text().splitlines()
    found = []
    for order, line in enumerate(lines):
        said = json.loads(line)
        time = milliseconds(said["timestamp"])
        event = Event(said["event"], time, order, time, said["messageId"])
        found.append((said["userId"], event))
    return found


def by_time(found: Iterable[tuple[str, Event]]) -> list[tuple[str, Event]]:
    """Sorted as simulation wants it."""
    return sorted(found, key=lambda pair: (pair[1].time, pair[1].order))


def expected_entries(path: Path) -> Entries:
    """The entries of one of the two offline computations' files."""
    with path.open() as file:
        rows = csv.DictReader(file)
        return sorted((milliseconds(row["entered_at"]), row["user_id"]) for row in rows)


def entries(found: Iterable[Told]) -> Entries:
    """Who was told to have entered, and when."""
    return sorted(
        (told.record.effective_at, told.profile)
        for told in found
        if isinstance(told.record, Transition) and told.record.change is Change.ENTERED
    )


@pytest.fixture(params=[True, False], ids=["restart", "no restart"])
def restart(request: pytest.FixtureRequest) -> bool:
    """Whether a further product moves the deadline."""
    return bool(request.param)


@pytest.fixture
def plan(restart: bool) -> Plan:
    """Product Added, unless Order Completed, after an hour."""
    enter = Abandoned(
        pattern=Pattern(names=("Product Added",)),
        unless=Pattern(names=("Order Completed",)),
        after=HOUR,
        restart=restart,
    )
    return Plan([Segment(name="cart-abandoners", enter=enter)])


@pytest.fixture
def expected(restart: bool) -> Entries:
    """What it has to come to."""
    return expected_entries(
        shared_data(f"otto/expected_entries_restart_{str(restart).lower()}_1h.csv")
    )


def test_simulation_enters_exactly_who_abandoned(plan: Plan, expected: Entries) -> None:
    """Every profile at every time, and nobody else; session by session or by time."""
    assert expected == entries(simulate(events(), plan))
    assert expected == entries(simulate(by_time(events()), plan))


@pytest.mark.parametrize("seed", range(3))
def test_a_shuffled_file_gives_the_same_once_sorted(
    plan: Plan, expected: Entries, seed: int
) -> None:
    """Events of one millisecond in another order make no difference here."""
    shuffled = events()
    Random(seed).shuffle(shuffled)
    renumbered = [(who, event._replace(order=n)) for n, (who, event) in enumerate(shuffled)]

    assert expected == entries(simulate(by_time(renumbered), plan))


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_an_import_gives_the_same(plan: Plan, expected: Entries, seed: int | None) -> None:
    """Appended in any order under one id and finished, history is told at its own times."""
    history = events()
    if seed is not None:
        Random(seed).shuffle(history)
    now = max(event.time for _, event in history) + 30 * 24 * HOUR
    log: list[tuple[str, Event | Imported | Finished]] = [
        (who, Imported(event._replace(order=n, accepted_at=now + n), "sessions"))
        for n, (who, event) in enumerate(history)
    ]
    log.append(("", Finished("sessions", now + len(log))))

    found = list(simulate_accepted(log, plan))

    assert expected == entries(found)
    origins = {told.record.origin for told in found if isinstance(told.record, Transition)}
    assert origins == {Origin.IMPORT}


def test_live_traffic_beside_the_import_changes_nothing_of_it(
    plan: Plan, expected: Entries
) -> None:
    """Others' and the same profiles' new events go on while the history comes in."""
    history = events()
    now = max(event.time for _, event in history) + 30 * 24 * HOUR
    log: list[tuple[str, Event | Imported | Finished]] = []
    for n, (who, event) in enumerate(history):
        log.append((who, Imported(event._replace(order=2 * n, accepted_at=now + n), "sessions")))
        if n % 10 == 0:
            view = Event("Product Viewed", now + n, 2 * n + 1, now + n, f"live-{n}")
            log += [(who, view), ("somebody-else", view)]
    log.append(("", Finished("sessions", now + len(history))))

    assert expected == entries(simulate_accepted(log, plan))
