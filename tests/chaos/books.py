"""The checker: what the log says must have happened, by the engine's own simulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import orjson
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.definitions import Catalog
from hairspring.engine.records import Transition
from hairspring.engine.simulate import Entry, Finished, Imported, Joined, Told, simulate_accepted
from hairspring.wire.inputs import to_engine
from hairspring.wire.times import to_ms
from hairspring.wire.transitions import to_contract, transition_json


def expected(
    records: Iterable[event_pb2.EventRecord], catalog: Catalog, until: int
) -> list[dict[str, Any]]:
    """The transitions up to `until` (milliseconds, UTC) that the event log makes."""
    versions = dict.fromkeys(catalog.segments, 1)
    plan = catalog.plan(version=1, versions=versions)
    told = simulate_accepted(entries(records), plan, until=until)
    return ordered(line for one in told for line in _line(one))


def entries(
    records: Iterable[event_pb2.EventRecord],
) -> Iterator[tuple[str, Entry]]:
    """The event log as the simulation reads it; an import ends once, not once a shard."""
    ended = set()
    for record in records:
        body = record.WhichOneof("body")
        if body == "merged":
            at = to_ms(record.accept_time)
            yield record.profile_id, Joined(record.merged.from_profile_id, at)
        if body in ("merged", "merged_away"):
            continue
        if body == "import_finished":
            name = record.import_finished.import_id
            if name not in ended:
                ended.add(name)
                yield "", Finished(name, to_ms(record.accept_time))
            continue
        event = to_engine(record)
        imported = record.event.import_id
        yield record.profile_id, Imported(event, imported) if imported else event


def _line(told: Told) -> Iterator[dict[str, Any]]:
    if isinstance(told.record, Transition):
        record = to_contract(told.record, plan_version=1)
        record.profile_id = told.profile
        yield transition_json(record)


def ordered(lines: Iterable[dict[str, Any]], until: str = "~") -> list[dict[str, Any]]:
    """Transitions in the order of the simulation's output, up to a time."""
    kept = [line for line in lines if line["effective_at"] <= until]
    return sorted(kept, key=lambda c: (c["effective_at"], c["profile"], c["segment"]))


def of_log(log: Sequence[event_pb2.EventRecord], acknowledged: Collection[str]) -> list[str]:
    """What is wrong with the event log: what was acknowledged is in it, once, without gaps."""
    events = [record.event for record in log if record.WhichOneof("body") == "event"]
    ids = Counter(event.message_id for event in events)
    found = []
    if missing := set(acknowledged) - ids.keys():
        found.append(f"{len(missing)} acknowledged events are not in the log: {_some(missing)}")
    if twice := [id for id, count in ids.items() if count > 1]:
        found.append(f"{len(twice)} events are in the log more than once: {_some(twice)}")
    if [record.position for record in log] != list(range(1, len(log) + 1)):
        found.append("the positions of the event log are not dense")
    return found


def of_transitions(wanted: Sequence[bytes], got: Sequence[bytes]) -> list[str]:
    """What is wrong with the transitions, which must be these, byte for byte."""
    lost, invented = Counter(wanted) - Counter(got), Counter(got) - Counter(wanted)
    found = []
    if lost:
        found.append(f"{lost.total()} transitions are missing: {_some(lost)}")
    if invented:
        found.append(f"{invented.total()} transitions are untrue or there twice: {_some(invented)}")
    if not found and list(wanted) != list(got):
        found.append("the transitions are right, but not in order")
    return found


def of_subscriber(
    read: Sequence[transition_pb2.Record], records: Sequence[transition_pb2.Record]
) -> list[str]:
    """What is wrong with what a subscriber read all along: every record once, in order."""
    wanted = [record.position for record in records]
    positions = [record.position for record in read if record.position <= wanted[-1]]
    if positions != wanted:
        return [f"a subscriber read {len(positions)} records of {len(records)}, or not in order"]
    return []


def as_bytes(lines: Iterable[dict[str, Any]]) -> list[bytes]:
    """Transitions as `simulate` writes them."""
    return [orjson.dumps(line) for line in lines]


def _some(values: Iterable[Any]) -> str:
    return "; ".join(str(value) for value in sorted(values)[:3])
