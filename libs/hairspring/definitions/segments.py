"""Segments: from YAML to their canonical form, and from that to the engine's."""

from collections.abc import Mapping
from typing import Any

from hairspring.definitions import conditions
from hairspring.definitions.fields import Field
from hairspring.definitions.patterns import Body
from hairspring.engine.segments import Segment

KEYS = ("description", "enter", "exit", "stay", "cooldown", "max_event_age")
REQUIRED = ("enter",)
_DURATIONS = ("stay", "cooldown", "max_event_age")


def read(entries: Mapping[str, Field]) -> Body:
    """The canonical form of what a segment has besides name and description."""
    body: Body = {"enter": None, "exit": None}
    report = entries["enter"].report if "enter" in entries else None
    before = len(report.problems) if report is not None else 0
    for key in ("enter", "exit"):
        if key in entries:
            body[key] = conditions.read(entries[key])
    sound = report is not None and len(report.problems) == before
    if sound and "exit" in entries and body["exit"] == body["enter"]:
        entries["exit"].refuse(
            "nobody can ever enter: `exit` holds whenever `enter` does; leave it out, and members "
            "leave when `enter` no longer holds"
        )
    for key in _DURATIONS:
        body[key] = entries[key].duration(f"`{key}`") if key in entries else None
    return body


def build(body: Mapping[str, Any], version: int = 0) -> Segment:
    """The engine's segment of a canonical form; `version` is the plan version that brought it."""
    leave = body["exit"]
    return Segment(
        name=body["name"],
        enter=conditions.build(body["enter"]),
        exit=conditions.build(leave) if leave is not None else None,
        stay=body["stay"],
        cooldown=body["cooldown"],
        max_event_age=body["max_event_age"],
        description=body["description"],
        version=version,
    )
