"""`aggregate`: what is made of the values of events."""

from collections.abc import Mapping
from typing import Any

from hairspring.definitions import behaviours, comparisons, patterns
from hairspring.definitions.fields import Field, described
from hairspring.definitions.patterns import Body
from hairspring.definitions.problems import listed
from hairspring.definitions.yaml_nodes import Scalar
from hairspring.engine import conditions as engine
from hairspring.engine.conditions import Function
from hairspring.engine.values import Takes
from hairspring.expressions import compile_path

_KEYS = (*patterns.KEYS, *patterns.BY, "of", "fn", "is", "within", "since")
_ENDS = (Function.FIRST, Function.LAST)
#: What others call them.
_WORDS = {
    "count": "; to count events, write `performed` with `times`",
    "total": "; write sum",
    "average": "; write avg",
    "mean": "; write avg",
    "minimum": "; write min",
    "maximum": "; write max",
    "distinct": "; write count_distinct",
    "unique": "; write count_distinct",
}


def read(field: Field) -> Body | None:
    """The canonical form of `aggregate`."""
    if not behaviours.is_pattern_mapping(field, _KEYS):
        return None
    before = len(field.report.problems)
    entries = field.entries("`aggregate`", _KEYS, required=("event", "of", "fn", "is"))
    body = patterns.read(entries, by=True) | behaviours.read_choice(entries)
    fn = _function(entries["fn"]) if "fn" in entries else None
    body |= {"of": None, "fn": fn.value if fn is not None else None, "is": None}
    if "of" in entries:
        body["of"] = patterns.read_path(entries["of"], "`of`")
    if "is" in entries:
        body["is"] = comparisons.read_limit(
            entries["is"], texts=fn is None or fn in _ENDS, count=fn is Function.COUNT_DISTINCT
        )
    sound = len(field.report.problems) == before
    if sound and body["since"] is not None and patterns.covers(body["since"], body):
        entries["since"].refuse(
            "every event with a value is also one to start anew from, so there are never any "
            "values; name another event in `since`"
        )
    return body


def build(body: Mapping[str, Any]) -> engine.Condition:
    """The engine's `aggregate`."""
    fn, limit = Function(body["fn"]), comparisons.build_limit(body["is"])
    takes = Takes.TEXT if isinstance(limit.value, str) else Takes.NUMBER
    if fn is Function.COUNT_DISTINCT:
        takes = Takes.ANY
    since, of = body["since"], body["of"]
    return engine.Aggregate(
        pattern=patterns.build(body, of=of, value=compile_path(of), takes=takes),
        fn=fn,
        limit=limit,
        within=body["within"],
        since=patterns.build(since) if since is not None else None,
    )


def _function(field: Field) -> Function | None:
    node = field.node
    for function in Function:
        if isinstance(node, Scalar) and node.value == function.value:
            return function
    known = listed([function.value for function in Function])
    hint = _WORDS.get(node.value.lower(), "") if isinstance(node, Scalar) else ""
    field.refuse(f"`fn` is {known}, not {described(node)}{hint}")
    return None
