"""Patterns: which events are meant."""

import re
from collections.abc import Mapping
from typing import Any

from hairspring.definitions import durations
from hairspring.definitions.fields import Field, described
from hairspring.definitions.problems import quoted
from hairspring.definitions.yaml_nodes import Items, Scalar, ScalarKind
from hairspring.engine.streams import ANY_EVENT, Pattern
from hairspring.expressions import BadExpression, compile_path, compile_where, parse_path
from hairspring.expressions.cel import LONGEST
from hairspring.expressions.paths import LONGEST_PATH

Body = dict[str, Any]

KEYS = ("event", "where")
BY = ("by",)
LONGEST_EVENT = 255
MOST_EVENTS = 200

_PLAIN = re.compile(r"[A-Za-z_]\w{0,60}", re.ASCII)
_BESIDE_STEPS = {
    "by": "write `by` beside `steps`: it goes for all of them",
    "within": "write `within` beside `steps`: it is the time from the first to the last",
    "performed": "a step is written without a condition: {event: NAME}",
}


def read(entries: Mapping[str, Field], *, by: bool = False) -> Body:
    """The canonical form of `event` and `where`, and of `by`, among the fields of a condition."""
    event, where = entries.get("event"), entries.get("where")
    body: Body = {
        "event": _names(event) if event is not None else [],
        "where": _expression(where) if where is not None else None,
    }
    return body | ({"by": read_by(entries)} if by else {})


def read_by(entries: Mapping[str, Field]) -> str | None:
    """The canonical form of `by`: the path to the value that tells groups apart."""
    return read_path(entries["by"], "`by`") if "by" in entries else None


def read_path(field: Field, what: str) -> str | None:
    """The canonical form of a path into an event."""
    text = field.text(what, longest=LONGEST_PATH)
    if text is None:
        return None
    try:
        return str(parse_path(text))
    except BadExpression as error:
        hint = _path_hint(text)
        for flaw in error.flaws:
            field.refuse_inside(flaw.line, flaw.column, flaw.message + hint)
        return None


def read_step(field: Field) -> Body | None:
    """The canonical form of a step, which is a pattern and nothing else."""
    if _is_bare(field, "a step is written as"):
        return None
    return read(field.entries("a step", KEYS, required=("event",), elsewhere=_BESIDE_STEPS))


def read_cut(field: Field, key: str, *, by: bool) -> Body | None:
    """The canonical form of `since` or `unless`, which have `by` only where the condition has."""
    if _is_bare(field, f"write `{key}:"):
        return None
    entries = field.entries(f"`{key}`", (*KEYS, *BY), required=("event",))
    if "by" in entries and not by:
        entries["by"].refuse(
            f"`{key}` has `by` only where its condition has one; add a `by` beside its `event` too"
        )
    return read(entries, by=True)


def build(body: Mapping[str, Any], **more: Any) -> Pattern:
    """The pattern of a canonical form; `more` are further fields of the pattern."""
    where, by = body["where"], body.get("by")
    return Pattern(
        names=tuple(body["event"]),
        where=where,
        predicate=compile_where(where) if where is not None else None,
        by=by,
        group=compile_path(by) if by is not None else None,
        **more,
    )


def covers(ends: Mapping[str, Any], starts: Mapping[str, Any]) -> bool:
    """Whether every event that `starts` means is certainly one that `ends` means.

    An event that both mean names the same group by both, or none by the first.
    """
    names = ends["event"] == [ANY_EVENT] or (
        starts["event"] != [ANY_EVENT] and set(starts["event"]) <= set(ends["event"])
    )
    where = ends["where"] in (None, starts["where"])
    return names and where and ends.get("by") in (None, starts.get("by"))


def _is_bare(field: Field, words: str) -> bool:
    """Whether it is a bare event name, or a duration, where a pattern belongs; this is noted."""
    node = field.node
    if not isinstance(node, Scalar) or node.kind is ScalarKind.NULL:
        return False
    if durations.is_one(node.value):
        field.refuse(f"this is an event such as {{event: Order Completed}}, not {described(node)}")
    else:
        shown = f"{{event: {node.value[:60]}}}"
        field.refuse(f"{words} {shown}`" if words.startswith("write") else f"{words} {shown}")
    return True


def _path_hint(text: str) -> str:
    """What to write for a path that begins as none does."""
    if text.startswith("traits."):
        return "; what is known of a profile is asked for with the condition `profile`"
    return f"; write properties.{text}" if _PLAIN.fullmatch(text) else ""


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
    text = field.expression("`where`", longest=LONGEST, example="properties.price >= 20.0")
    if text is None:
        return None
    try:
        compile_where(text)
    except BadExpression as error:
        for flaw in error.flaws:
            field.refuse_inside(flaw.line, flaw.column, flaw.message)
        return None
    return text.strip()
