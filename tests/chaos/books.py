"""The checker: what the log says must have happened, by the engine's own simulation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hairspring.contracts.event.v1 import event_pb2
from hairspring.definitions import Catalog
from hairspring.engine.events import Event
from hairspring.engine.records import Transition
from hairspring.engine.simulate import Finished, Imported, Told, simulate_accepted
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
) -> Iterator[tuple[str, Event | Imported | Finished]]:
    """The event log as the simulation reads it; an import ends once, not once a shard."""
    ended = set()
    for record in records:
        if record.WhichOneof("body") == "import_finished":
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
