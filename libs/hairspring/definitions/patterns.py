"""Patterns: which events are meant."""

from collections.abc import Mapping
from typing import Any

from hairspring.definitions.fields import Field
from hairspring.definitions.problems import quoted
from hairspring.definitions.yaml_nodes import Items
from hairspring.engine.streams import ANY_EVENT, Pattern
from hairspring.expressions import BadExpression, compile_where
from hairspring.expressions.cel import LONGEST

Body = dict[str, Any]

KEYS = ("event", "where")
LATER = ("by",)
LONGEST_EVENT = 255
MOST_EVENTS = 200


def read(entries: Mapping[str, Field]) -> Body:
    """The canonical form of `event` and `where` among the fields of a condition."""
    event, where = entries.get("event"), entries.get("where")
    return {
        "event": _names(event) if event is not None else [],
        "where": _expression(where) if where is not None else None,
    }


def read_alone(field: Field, what: str) -> Body:
    """The canonical form of a mapping that is a pattern and nothing else."""
    return read(field.entries(what, KEYS, required=("event",), later=LATER))


def build(body: Mapping[str, Any]) -> Pattern:
    """The pattern of a canonical form."""
    where = body["where"]
    predicate = compile_where(where) if where is not None else None
    return Pattern(names=tuple(body["event"]), where=where, predicate=predicate)


def covers(ends: Mapping[str, Any], starts: Mapping[str, Any]) -> bool:
    """Whether every event that `starts` means is certainly one that `ends` means."""
    names = ends["event"] == [ANY_EVENT] or (
        starts["event"] != [ANY_EVENT] and set(starts["event"]) <= set(ends["event"])
    )
    return names and ends["where"] in (None, starts["where"])


def _names(field: Field) -> list[str]:
    if not isinstance(field.node, Items):
        name = _name(field)
        return [name] if name is not None else []
    elements = field.items("`event`")
    if len(elements) > MOST_EVENTS:
        field.refuse(f"a pattern names at most {MOST_EVENTS} events")
        return []
    names: list[str] = []
    for element in elements:
        name = _name(element)
        if name is not None and name in names:
            element.refuse(f"{quoted(name)} is named twice")
        elif name is not None:
            names.append(name)
    if ANY_EVENT in names and len(names) > 1:
        field.refuse('"*" stands for every event already; leave the other names out')
    return sorted(names)


def _name(field: Field) -> str | None:
    name = field.text("the name of an event", longest=LONGEST_EVENT)
    if name is not None and not name.isprintable():
        field.refuse("the name of an event is printable")
        return None
    return name


def _expression(field: Field) -> str | None:
    text = field.text("`where`", longest=LONGEST)
    if text is None:
        return None
    try:
        compile_where(text)
    except BadExpression as error:
        for flaw in error.flaws:
            field.refuse_inside(flaw.line, flaw.column, flaw.message)
        return None
    return text.strip()
