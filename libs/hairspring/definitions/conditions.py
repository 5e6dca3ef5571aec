"""Conditions: from YAML to their canonical form, and from that to the engine's."""

from collections.abc import Callable, Mapping
from typing import Any

from hairspring.definitions import comparisons, names, patterns
from hairspring.definitions.fields import Field, described
from hairspring.definitions.kinds import Kind
from hairspring.definitions.patterns import Body
from hairspring.definitions.problems import listed, quoted
from hairspring.definitions.yaml_nodes import Entries, Scalar, ScalarKind
from hairspring.engine import conditions as engine
from hairspring.engine.conditions.comparison import AT_LEAST_ONCE

#: Conditions of the language that are refused for now.
LATER = ("sequence", "inactive", "aggregate", "profile", "date", "anniversary")


def read(field: Field) -> Body | None:
    """The canonical form of a condition; what is wrong with it is noted."""
    known = tuple(_READERS)
    node = field.node
    if not isinstance(node, Entries):
        field.refuse(f"a condition is a mapping with {listed(known)}, not {described(node)}")
        return None
    if len(node.entries) != 1:
        keys = [quoted(key.value) for key, _ in node.entries[:5]]
        found = f"not {listed(keys, 'and')}" if keys else "not none"
        field.refuse(
            f"a condition has exactly one of {listed(known)}, {found}; "
            "put several under `all` or `any`"
        )
        return None
    for key, part in field.entries("a condition", known, later=LATER).items():
        return {key: _READERS[key](part)}
    return None


def build(body: Mapping[str, Any]) -> engine.Condition:
    """The engine's condition of a canonical form."""
    [(keyword, part)] = body.items()
    return _BUILDERS[keyword](part)


def _read_performed(field: Field) -> Body | None:
    keys = (*patterns.KEYS, "times", "within", "since")
    if not _is_mapping(field, keys):
        return None
    before = len(field.report.problems)
    entries = field.entries("`performed`", keys, required=("event",), later=patterns.LATER)
    body = patterns.read(entries)
    body |= {"times": str(AT_LEAST_ONCE), "within": None, "since": None}
    if "times" in entries:
        body["times"] = comparisons.read(entries["times"])
    if "within" in entries:
        body["within"] = entries["within"].duration("`within`")
    if "since" in entries:
        body["since"] = patterns.read_alone(entries["since"], "`since`")
    sound = len(field.report.problems) == before
    if sound and body["since"] is not None and patterns.covers(body["since"], body):
        holds = "always" if comparisons.parse(body["times"]).holds(0) else "never"
        entries["since"].refuse(
            "every event that is counted is also one to count anew from, so the count is always 0, "
            f"and '{body['times']}' {holds} holds"
        )
    return body


def _read_abandoned(field: Field) -> Body | None:
    keys = (*patterns.KEYS, "unless", "after", "restart")
    if not _is_mapping(field, keys):
        return None
    before = len(field.report.problems)
    required = ("event", "unless", "after")
    entries = field.entries("`abandoned`", keys, required=required, later=patterns.LATER)
    body = patterns.read(entries)
    body |= {"unless": None, "after": None, "restart": True}
    if "unless" in entries:
        body["unless"] = patterns.read_alone(entries["unless"], "`unless`")
    if "after" in entries:
        body["after"] = entries["after"].duration("`after`")
    if "restart" in entries:
        body["restart"] = entries["restart"].flag("`restart`")
    sound = len(field.report.problems) == before
    if sound and patterns.covers(body["unless"], body):
        entries["unless"].refuse(
            "this can never hold: every event that starts it also ends it at once"
        )
    return body


def _read_list(field: Field) -> list[Body | None]:
    return [read(part) for part in field.items(f"`{field.path.rsplit('.', 1)[-1]}`")]


def _read_segment(field: Field) -> str | None:
    return read_name(field, Kind.SEGMENT, "the name of a segment")


def read_name(field: Field, kind: Kind, what: str) -> str | None:
    """The name of another definition, which is noted as a reference."""
    name = field.text(what, longest=10 * names.LONGEST_NAME)
    if name is None:
        return None
    flaw = names.flaw_in(name)
    if flaw is not None:
        field.refuse(flaw)
        return None
    field.refer(kind, name)
    return name


def _is_mapping(field: Field, keys: tuple[str, ...]) -> bool:
    """Whether it is one; a bare event name is a mistake so near that the answer says it all."""
    node, keyword = field.node, field.path.rsplit(".", 1)[-1]
    if isinstance(node, Scalar) and node.kind is not ScalarKind.NULL:
        field.refuse(f"write `{keyword}: {{event: {node.value[:60]}}}`")
        return False
    if not isinstance(node, Entries):
        known = listed(keys, "and")
        field.refuse(f"`{keyword}` is a mapping with {known}, not {described(node)}")
        return False
    return True


def _build_performed(body: Mapping[str, Any]) -> engine.Condition:
    since = body["since"]
    return engine.Performed(
        pattern=patterns.build(body),
        times=comparisons.parse(body["times"]),
        within=body["within"],
        since=patterns.build(since) if since is not None else None,
    )


def _build_abandoned(body: Mapping[str, Any]) -> engine.Condition:
    return engine.Abandoned(
        pattern=patterns.build(body),
        unless=patterns.build(body["unless"]),
        after=body["after"],
        restart=body["restart"],
    )


_READERS: dict[str, Callable[[Field], Any]] = {
    "performed": _read_performed,
    "abandoned": _read_abandoned,
    "all": _read_list,
    "any": _read_list,
    "not": read,
    "segment": _read_segment,
}

_BUILDERS: dict[str, Callable[[Any], engine.Condition]] = {
    "performed": _build_performed,
    "abandoned": _build_abandoned,
    "all": lambda parts: engine.All(tuple(build(part) for part in parts)),
    "any": lambda parts: engine.Any(tuple(build(part) for part in parts)),
    "not": lambda part: engine.Not(build(part)),
    "segment": lambda name: engine.InSegment(name),
}
