"""Judging files of events."""

from __future__ import annotations

from pathlib import Path
from random import Random

import orjson
import pytest
from hairspring.cli import reading, simulation
from hairspring.definitions import Manifest, load
from hairspring.engine.events import Event, EventKind
from hairspring.engine.plan import Plan
from hairspring.engine.records import Cause, Change, Origin, Transition
from hairspring.wire.times import EARLIEST_MS, LATEST_MS
from hairspring.wire.transitions import to_contract, transition_json
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cli.histories import line, mixed, written

DEFINITIONS = """
kind: Segment
name: carts
enter:
  abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1h}
---
kind: Segment
name: never-bought
enter:
  not: {performed: {event: Order Completed, times: ">= 1"}}
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load([Manifest(path="m.yaml", text=DEFINITIONS)]).plan()


Judged = tuple[list[bytes], list[tuple[int, str]]]


def judged(path: Path, plan: Plan, *, until: int | None = None) -> Judged:
    problems: list[tuple[int, str]] = []
    lines = list(
        simulation.by_event_time(path, plan, lambda *told: problems.append(told), until=until)
    )
    return lines, problems


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_process_of_its_own_changes_nothing(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch, shuffled: bool
) -> None:
    """Transitions and problems are the same, whether one process reads and judges or two do."""
    lines = mixed(Random(2))
    if shuffled:
        Random(3).shuffle(lines)
    path = written(tmp_path / "events", lines)
    expected = judged(path, plan)

    monkeypatch.setattr(reading, "is_worth_it", lambda _: True)

    assert judged(path, plan) == expected
    assert len(expected[0]) > 20
    assert len(expected[1]) > 10


def test_problems_are_told_once(tmp_path: Path, plan: Plan) -> None:
    """Where a file turns out to be out of order and is read again, none is told twice."""
    path = written(tmp_path / "events", [b"{1\n", line(5), b"{2\n", line(4), b"{3\n"])

    lines, problems = judged(path, plan)

    assert [number for number, _ in problems] == [1, 3, 5]
    assert [orjson.loads(each)["effective_at"] for each in lines] == ["2026-05-01T00:04:00.000Z"]


def test_the_order_of_the_file_does_not_matter(tmp_path: Path, plan: Plan) -> None:
    """A shuffled file has the transitions of the ordered one."""
    lines = [each for each in mixed(Random(4)) if each.startswith(b'{"')]
    lines = list(dict.fromkeys(lines))
    in_order, _ = judged(written(tmp_path / "events", lines), plan)
    Random(5).shuffle(lines)
    shuffled, _ = judged(written(tmp_path / "shuffled", lines), plan)
    assert shuffled == in_order


def test_the_first_of_a_repeated_id_counts(tmp_path: Path, plan: Plan) -> None:
    """An id that comes again is left out, also when the event is another one's."""
    again = line(70, messageId="m1", userId="ben")
    lines, _ = judged(written(tmp_path / "events", [line(1), again, line(80, event="Seen")]), plan)
    assert {orjson.loads(each)["profile"] for each in lines} == {"ada"}


def test_events_that_no_rule_knows_say_how_far_it_goes(tmp_path: Path, plan: Plan) -> None:
    """They are somebody's first instant, and the last of all is the end."""
    seen = [line(1), line(30, userId="ben", event="Seen"), line(61, userId="ben", event="Seen")]

    lines, _ = judged(written(tmp_path / "events", seen), plan)

    assert [tuple(orjson.loads(each).values())[:4] for each in lines] == [
        ("ada", "never-bought", "entered", "2026-05-01T00:01:00.000Z"),
        ("ben", "never-bought", "entered", "2026-05-01T00:30:00.000Z"),
        ("ada", "carts", "entered", "2026-05-01T01:01:00.000Z"),
    ]
    assert judged(tmp_path / "events", plan, until=0)[0] == []


MOMENTS = st.integers(EARLIEST_MS, LATEST_MS)
TEXTS = st.text(max_size=9)
EVENTS = st.builds(
    Event,
    name=TEXTS,
    time=MOMENTS,
    order=st.integers(0, 2**40),
    accepted_at=MOMENTS,
    message_id=TEXTS,
    kind=st.sampled_from(EventKind),
    properties=st.just({}),
    context=st.just({}),
)


@given(
    TEXTS,
    st.builds(
        Transition,
        segment=TEXTS,
        version=st.integers(0, 9),
        change=st.sampled_from(Change),
        effective_at=MOMENTS,
        cause=st.builds(Cause, event=st.none() | EVENTS, late=st.booleans()),
        origin=st.sampled_from(Origin),
        entered_at=st.none() | MOMENTS,
        evidence=st.just(()),
        groups=st.lists(st.sampled_from(['"a"', "1", "true"])).map(tuple),
    ),
)
def test_transitions_are_written_as_recorded_ones(profile: str, transition: Transition) -> None:
    """A simulated transition is the same line, byte for byte, as one that the log recorded."""
    record = to_contract(transition, plan_version=0)
    record.profile_id = profile

    assert orjson.dumps(simulation.transition_line(profile, transition)) == orjson.dumps(
        transition_json(record)
    )
