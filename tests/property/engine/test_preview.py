"""A preview of one segment is what simulation of all segments says of it."""

from __future__ import annotations

from random import Random

from hairspring.engine.plan import Plan
from hairspring.engine.preview import course, with_references
from hairspring.engine.records import Transition
from hairspring.engine.simulate import simulate

from tests.property.engine import translated, worlds
from tests.property.engine.profiles import property_test
from tests.property.engine.worlds import END


@property_test
def test_a_preview_is_a_simulation(random: Random) -> None:
    """In whatever order the events came, and with nothing but what the segment refers to."""
    world = worlds.as_accepted(random)
    plan = translated.plan(world.segments)
    events = [translated.event(event) for event in world.events]
    in_order = sorted(
        (event._replace(accepted_at=event.time) for event in events),
        key=lambda event: (event.time, event.order),
    )
    told = [one.record for one in simulate([("ada", e) for e in in_order], plan, until=END)]

    for segment in plan.segments:
        alone = Plan(with_references(plan.segments, segment.name))
        found = course(events, alone, segment.name, at=END)
        expected = [
            (record.effective_at, record.change, record.entered_at)
            for record in told
            if isinstance(record, Transition) and record.segment == segment.name
        ]
        assert [(at, change) for at, change in found.changes] == [one[:2] for one in expected]
        inside = bool(expected) and expected[-1][1].value == "entered"
        assert found.entered_at == (expected[-1][2] if inside else None)
