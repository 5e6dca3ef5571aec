"""Conditions: from YAML to their canonical form, and from that to the engine's."""

from collections.abc import Callable, Mapping
from typing import Any

from hairspring.definitions import aggregates, behaviours, names, trait_conditions
from hairspring.definitions.fields import Field, described
from hairspring.definitions.kinds import Kind
from hairspring.definitions.patterns import Body
from hairspring.definitions.problems import listed, quoted
from hairspring.definitions.yaml_nodes import Entries, Items
from hairspring.engine import conditions as engine


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
    for key, part in field.entries("a condition", known).items():
        return {key: _READERS[key](part)}
    return None


def build(body: Mapping[str, Any]) -> engine.Condition:
    """The engine's condition of a canonical form."""
    [(keyword, part)] = body.items()
    return _BUILDERS[keyword](part)


def _read_list(field: Field) -> list[Body | None]:
    keyword = field.path.rsplit(".", 1)[-1]
    if isinstance(field.node, Entries):
        field.refuse(f"`{keyword}` is a list of conditions; put a `- ` before each")
        return []
    return [read(part) for part in field.items(f"`{keyword}`")]


def _read_not(field: Field) -> Body | None:
    if isinstance(field.node, Items):
        field.refuse(
            "`not` takes one condition, and a condition is a mapping; for none of several, write "
            "`not: {any: [...]}`"
        )
        return None
    return read(field)


def _read_segment(field: Field) -> str | None:
    if isinstance(field.node, Items):
        field.refuse(
            "`segment` takes the name of one; for several, write a `segment` for each under "
            "`any` or `all`"
        )
        return None
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


_READERS: dict[str, Callable[[Field], Any]] = {
    "performed": behaviours.read_performed,
    "abandoned": behaviours.read_abandoned,
    "sequence": behaviours.read_sequence,
    "inactive": behaviours.read_inactive,
    "aggregate": aggregates.read,
    "profile": trait_conditions.read_profile,
    "segment": _read_segment,
    "date": trait_conditions.read_date,
    "anniversary": trait_conditions.read_anniversary,
    "all": _read_list,
    "any": _read_list,
    "not": _read_not,
}

_BUILDERS: dict[str, Callable[[Any], engine.Condition]] = {
    "performed": behaviours.build_performed,
    "abandoned": behaviours.build_abandoned,
    "sequence": behaviours.build_sequence,
    "inactive": behaviours.build_inactive,
    "aggregate": aggregates.build,
    "profile": trait_conditions.build_profile,
    "segment": lambda name: engine.InSegment(name),
    "date": trait_conditions.build_date,
    "anniversary": trait_conditions.build_anniversary,
    "all": lambda parts: engine.All(tuple(build(part) for part in parts)),
    "any": lambda parts: engine.Any(tuple(build(part) for part in parts)),
    "not": lambda part: engine.Not(build(part)),
}
