"""The oracle's segments as somebody would write them down; a millisecond there is a second here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hairspring.engine.events import Event

from tests.property.engine import oracle, translated

SCALE = 1000

Body = dict[str, Any]


def text(said: Iterable[oracle.Segment]) -> str:
    """The definitions, as JSON, which is YAML too."""
    documents = [
        {"kind": "Segment", "name": one.name, "enter": condition(one.enter)} for one in said
    ]
    return "\n---\n".join(json.dumps(document) for document in documents)


def event(said: oracle.Event) -> Event:
    """The engine's event, at the second."""
    found = translated.event(said)
    return found._replace(time=said.time * SCALE, accepted_at=said.accepted_at * SCALE)


def at_milliseconds(story: translated.Story) -> translated.Story:
    """What was told, with the oracle's times."""
    assert all(one.at % SCALE == 0 for told in story.values() for one in told)
    return {
        name: [replace(one, at=one.at // SCALE) for one in told] for name, told in story.items()
    }


def pattern(said: oracle.Pattern) -> Body:
    body: Body = {"event": said.names[0] if len(said.names) == 1 else list(said.names)}
    if said.marked:
        body["where"] = "properties.marked == true"
    if said.by is not None:
        body["by"] = f"properties.{said.by}"
    return body


def condition(said: oracle.Condition) -> Body:
    match said:
        case oracle.All():
            return {"all": [condition(part) for part in said.parts]}
        case oracle.Any():
            return {"any": [condition(part) for part in said.parts]}
        case oracle.Not():
            return {"not": condition(said.part)}
        case oracle.Member():
            return {"segment": said.segment}
        case oracle.Performed():
            times = f"{said.operator} {said.number}"
            return {"performed": pattern(said.pattern) | {"times": times} | choice(said)}
        case oracle.Abandoned():
            more = {"unless": pattern(said.end), "after": duration(said.after)}
            return {"abandoned": pattern(said.start) | more | {"restart": said.restart}}
        case oracle.Sequence():
            return {"sequence": sequence(said)}
        case oracle.Inactive():
            return {"inactive": pattern(said.pattern) | {"for": duration(said.wait)}}
        case oracle.Aggregate():
            asked = {"of": "properties.value", "fn": said.fn, "is": limit(said)}
            return {"aggregate": pattern(said.pattern) | asked | choice(said)}
        case _:
            return {"profile": expression(said)}


def choice(said: oracle.Performed | oracle.Aggregate) -> Body:
    body: Body = {}
    if said.within is not None:
        body["within"] = duration(said.within)
    if said.since is not None:
        body["since"] = pattern(said.since)
    return body


def sequence(said: oracle.Sequence) -> Body:
    body: Body = {"steps": [pattern(replace(step, by=None)) for step in said.steps]}
    by = pattern(said.steps[0]).get("by")
    spans = {"within": said.within, "recent": said.recent}
    body |= {name: duration(span) for name, span in spans.items() if span is not None}
    return body | ({} if by is None else {"by": by})


def limit(said: oracle.Aggregate) -> str:
    number = isinstance(said.limit, float) and said.limit.is_integer()
    return f"{said.operator} {json.dumps(int(said.limit) if number else said.limit)}"


def expression(said: oracle.Condition) -> str:
    if isinstance(said, oracle.Tagged):
        return f"{json.dumps(said.tag)} in traits.tags"
    assert isinstance(said, oracle.Profile)
    return f"traits.{said.trait} {said.operator} {json.dumps(said.value)}"


def duration(milliseconds: int) -> str:
    return f"{milliseconds}s"
