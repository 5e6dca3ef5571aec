"""The state of a profile that remembers 200 events: its size, and what it costs to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from hairspring.definitions import Manifest, load
from hairspring.engine.plan import Plan
from hairspring.engine.state import ProfileState
from hairspring.engine.step import step
from hairspring.store import encoding

from tests.benchmarks.engine import events
from tests.benchmarks.figures import Figure, Size, microseconds

_COMMAND = "python -m tests.benchmarks --only state"
_REMEMBERED = 200
_NAMES = ("Product Viewed", "Product List Viewed", "Products Searched", "Product Clicked")


def figures(size: Size, directory: Path, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure times alone in one stream and in four, and the values that an aggregate needs."""
    cases = {
        "in one stream": _plan(['performed: {event: "*", times: ">= 500", within: 90d}']),
        "in four streams": _plan(
            [f'performed: {{event: {name}, times: ">= 500", within: 90d}}' for name in _NAMES]
        ),
        "with their prices": _plan(
            ['aggregate: {event: "*", of: properties.price, fn: sum, is: "> 1", within: 90d}']
        ),
    }
    for name, plan in cases.items():
        say(f"200 events {name}")
        state = remembering(plan)
        stored = encoding.encode(state)
        count = max(1, size.steps // 10)
        note = f"{_REMEMBERED} remembered events {name}"
        yield Figure(
            name=f"state {name}, size",
            unit="bytes",
            values=(len(stored),),
            goal="less than 2,000",
            command=_COMMAND,
            note=note,
        )
        for verb, work, goal in (
            ("decode", partial(encoding.decode, stored), "less than 20"),
            ("encode", partial(encoding.encode, state), ""),
        ):
            rounds = [microseconds(partial(_times, work, count)) for _ in range(size.rounds)]
            yield Figure(
                name=f"state {name}, {verb}",
                unit="µs",
                values=tuple(rounds),
                goal=goal,
                command=_COMMAND,
                note=note,
            )


def remembering(plan: Plan) -> ProfileState:
    """A state of 200 events that some segment of the plan remembers."""
    state = ProfileState()
    orders = 0
    for _, event in events(20 * _REMEMBERED):
        if not plan.filters(event):
            continue
        # In a log of everybody's events, one profile's lie some way apart.
        orders += 1
        state = step(state, event._replace(order=1_000_000 + 977 * orders), plan).state
        if orders == _REMEMBERED:
            break
    assert sum(len(run.times) for run in state.streams.values()) == _REMEMBERED
    return state


def _plan(conditions: list[str]) -> Plan:
    texts = [
        f"kind: Segment\nname: s{number}\nenter:\n  {condition}\n"
        for number, condition in enumerate(conditions)
    ]
    return load([Manifest(path="bench.yaml", text="\n---\n".join(texts))]).plan()


def _times(work: Callable[[], object], count: int) -> int:
    for _ in range(count):
        work()
    return count
