"""A hundred segments over the shop's twenty events, of which about five look at any event."""

from __future__ import annotations

from hairspring.definitions import Manifest, load
from hairspring.engine.plan import Plan

from tests.benchmarks.shop import NAMES

#: Sixty look at one event, twenty at two, and twenty are made of others. In the pipeline a profile
#: has an event every five seconds or so: with ten seconds for a sequence, one event in fifteen to
#: twenty changes a membership all along.
_CONDITIONS = (
    'performed: {{event: {one}, times: ">= 10", within: 30d}}',
    'aggregate: {{event: {one}, of: properties.price, fn: sum, is: ">= 2500", within: 90d}}',
    "inactive: {{event: {one}, for: 30d}}",
    "sequence: {{steps: [{{event: {one}}}, {{event: {other}}}], within: 10s, recent: 60d}}",
    "all: [{{segment: s{first:04d}}}, {{segment: s{second:04d}}}]",
)
#: The same by kind; the number makes each a definition of its own.
KINDS = {
    "performed": 'performed: {{event: {one}, times: ">= 3", within: 30d{number:d}m}}',
    "aggregate": "aggregate: {{event: {one}, of: properties.price, fn: sum, "
    'is: ">= 300", within: 90d{number:d}m}}',
    "inactive": "inactive: {{event: {one}, for: 30d{number:d}m}}",
    "abandoned": "abandoned: {{event: {one}, unless: {{event: {other}}}, after: 1d{number:d}m}}",
    "sequence": "sequence: {{steps: [{{event: {one}}}, {{event: {other}}}], "
    "within: 1d, recent: 1d{number:d}m}}",
}
_ABANDONED = "abandoned: {{event: {one}, unless: {{event: {other}}}, after: 14d}}"


def plan(segments: int = 100) -> Plan:
    """As many segments; those beyond a hundred look at other events in the same way."""
    return load([Manifest(path="bench.yaml", text=text(segments))]).plan()


def text(segments: int = 100) -> str:
    """The same as somebody writes it."""
    return "\n---\n".join(_segment(number) for number in range(segments))


def plan_of(condition: str) -> Plan:
    """A hundred segments of one kind, five that begin with each event, none like another."""
    texts = []
    for number in range(100):
        one, other = NAMES[number % len(NAMES)], NAMES[(number + 7) % len(NAMES)]
        texts.append(_manifest(number, condition.format(one=one, other=other, number=number)))
    return load([Manifest(path="bench.yaml", text="\n---\n".join(texts))]).plan()


def looking(plan: Plan) -> float:
    """How many of the first hundred segments look at an event, on average over the names."""
    found = 0
    for segment in plan.segments[:100]:
        names = {name for reading in segment.enter.reads() for name in reading.pattern.names}
        found += len(names)
    return found / len(NAMES)


def _segment(number: int) -> str:
    hundred, place = divmod(number, 100)
    names = NAMES if not hundred else tuple(f"{name} {hundred}" for name in NAMES)
    kind, index = divmod(place, len(NAMES))
    waits = _CONDITIONS[kind].startswith("sequence") and index % 4 == 0
    condition = (_ABANDONED if waits else _CONDITIONS[kind]).format(
        one=names[index],
        other=names[(index + 7) % len(names)],
        first=hundred * 100 + index,
        second=hundred * 100 + index + len(NAMES),
    )
    return _manifest(number, condition)


def _manifest(number: int, condition: str) -> str:
    return f"kind: Segment\nname: s{number:04d}\nenter:\n  {condition}\n"
