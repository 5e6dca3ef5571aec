"""Flows and templates by plan version, each read once: a version never changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hairspring.contracts.definition.v1 import definition_pb2
from hairspring.runtime.logging import get_logger
from hairspring.services.delivery.adapters.calls import Refused
from hairspring.services.delivery.adapters.evaluator import Evaluator
from hairspring.wire.flows import (
    Flow,
    Template,
    UnreadableDefinition,
    flow_from_json,
    template_from_json,
)

MOST_VERSIONS = 256
"""How many plan versions are kept in memory."""

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The flows and templates of a workspace at one plan version, by name."""

    flows: Mapping[str, Flow] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)


class Definitions:
    """Reads catalogs from the rule evaluator, and keeps those that were used last."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._kept: OrderedDict[tuple[str, int], Catalog] = OrderedDict()

    async def at(self, workspace: str, plan_version: int) -> Catalog:
        """Answer the definitions at a plan version. Raises Away.

        A version that the evaluator does not know has none; version 0 is before the first.
        """
        key = (workspace, plan_version)
        if plan_version <= 0:
            return Catalog()
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        try:
            told = await self._evaluator.definitions(workspace, plan_version)
        except Refused as error:
            log.error("definitions_missing", plan_version=plan_version, error=str(error))
            return Catalog()
        self._kept[key] = catalog_of(told)
        if len(self._kept) > MOST_VERSIONS:
            self._kept.popitem(last=False)
        return self._kept[key]


def catalog_of(told: Sequence[definition_pb2.Definition]) -> Catalog:
    """Read definitions; one that cannot be read is logged and left out."""
    flows: dict[str, Flow] = {}
    templates: dict[str, Template] = {}
    for definition in told:
        try:
            if definition.kind == definition_pb2.DEFINITION_KIND_FLOW:
                flows[definition.name] = flow_from_json(definition.body_json)
            elif definition.kind == definition_pb2.DEFINITION_KIND_TEMPLATE:
                templates[definition.name] = template_from_json(definition.body_json)
        except UnreadableDefinition as error:
            log.error("definition_unreadable", name=definition.name, error=str(error))
    return Catalog(flows=flows, templates=templates)
