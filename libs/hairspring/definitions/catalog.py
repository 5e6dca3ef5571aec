"""The catalog: all definitions of a workspace, checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from hairspring.definitions import segments
from hairspring.definitions.kinds import Kind
from hairspring.definitions.patterns import Body
from hairspring.engine.plan import Plan
from hairspring.engine.segments import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class _Definition:
    """A checked definition: its name, its canonical form, and the YAML that it was written as."""

    name: str
    body: Body = field(hash=False)
    source: str = field(compare=False)

    @property
    def body_json(self) -> bytes:
        """The canonical form as JSON in UTF-8; the same bytes for the same form."""
        text = json.dumps(self.body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDefinition(_Definition):
    """A segment as it was defined, and as the engine takes it (with version 0)."""

    segment: Segment = field(compare=False, repr=False)

    kind = Kind.SEGMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowDefinition(_Definition):
    """A flow as it was defined."""

    kind = Kind.FLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateDefinition(_Definition):
    """A template as it was defined."""

    kind = Kind.TEMPLATE


Definition: TypeAlias = SegmentDefinition | FlowDefinition | TemplateDefinition


def _none() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All definitions of a workspace by kind and name; each mapping is in the order of names."""

    segments: Mapping[str, SegmentDefinition] = field(default_factory=_none)
    flows: Mapping[str, FlowDefinition] = field(default_factory=_none)
    templates: Mapping[str, TemplateDefinition] = field(default_factory=_none)

    def all(self) -> tuple[Definition, ...]:
        """Every definition, by kind and name."""
        return (*self.segments.values(), *self.flows.values(), *self.templates.values())

    def plan(self, *, version: int = 0, versions: Mapping[str, int] | None = None) -> Plan:
        """The engine's plan; `versions` are the plan versions that brought each segment its form.

        A segment that is not among them came with `version`.
        """
        brought = versions or {}
        return Plan(
            (
                segments.build(definition.body, brought.get(name, version))
                for name, definition in self.segments.items()
            ),
            version=version,
        )


def define(kind: Kind, body: Body, source: str) -> Definition:
    """A definition of its canonical form, which is taken as it is."""
    name = str(body["name"])
    if kind is Kind.SEGMENT:
        segment = segments.build(body)
        return SegmentDefinition(name=name, body=body, source=source, segment=segment)
    make: Callable[..., Definition] = FlowDefinition if kind is Kind.FLOW else TemplateDefinition
    return make(name=name, body=body, source=source)


def collect(definitions: Iterable[Definition]) -> Catalog:
    """A catalog of definitions; of those of one kind and name the last one counts."""
    segments_: dict[str, SegmentDefinition] = {}
    flows: dict[str, FlowDefinition] = {}
    templates: dict[str, TemplateDefinition] = {}
    for definition in sorted(definitions, key=lambda definition: definition.name):
        match definition:
            case SegmentDefinition():
                segments_[definition.name] = definition
            case FlowDefinition():
                flows[definition.name] = definition
            case TemplateDefinition():
                templates[definition.name] = definition
    return Catalog(
        segments=MappingProxyType(segments_),
        flows=MappingProxyType(flows),
        templates=MappingProxyType(templates),
    )


def catalog_from_bodies(
    items: Iterable[tuple[Kind | str, str, bytes | str | Mapping[str, Any], str]],
) -> Catalog:
    """Rebuilds a stored catalog of (kind, name, canonical JSON, source), which is not checked anew.

    So what was put in force once stays in force, also where a later version is stricter.
    """
    return collect(
        define(Kind(kind), {**_loaded(body), "name": name}, source)
        for kind, name, body, source in items
    )


def _loaded(body: bytes | str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    loaded: Mapping[str, Any] = json.loads(body)
    return loaded
