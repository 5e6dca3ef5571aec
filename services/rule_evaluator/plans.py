"""The plans: what is to be judged by, at which plan version."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from hairspring.definitions import Catalog, Kind, catalog_from_bodies
from hairspring.engine.plan import Plan
from hairspring.store.definitions import DefinitionStore, StoredDefinition
from hairspring.store.port import Adoption


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """The plans of all workspaces at one version."""

    version: int = 0
    by_workspace: Mapping[str, Plan] = field(default_factory=dict)
    catalogs: Mapping[str, Catalog] = field(default_factory=dict)

    def adoption_from(self, before: "Plans") -> Adoption:
        """What has to be done when these plans follow others."""
        refill: list[str] = []
        removed: list[tuple[str, str]] = []
        for workspace, catalog in self.catalogs.items():
            earlier = before.catalogs.get(workspace)
            known = {} if earlier is None else earlier.segments
            gone = [name for name in known if name not in catalog.segments]
            if gone or any(
                name not in known or known[name].body != segment.body
                for name, segment in catalog.segments.items()
            ):
                refill.append(workspace)
            removed += [(workspace, name) for name in gone]
        return Adoption(version=self.version, refill=refill, removed=removed)


class PlanBook:
    """Reads plans by version, and keeps the last few."""

    def __init__(self, definitions: DefinitionStore) -> None:
        self._definitions = definitions
        self._known: dict[int, Plans] = {}
        self._reading = asyncio.Lock()

    async def latest(self) -> int:
        """The latest plan version."""
        return await self._definitions.latest()

    async def at(self, version: int) -> Plans:
        """The plans at a version."""
        async with self._reading:
            if version not in self._known:
                while len(self._known) >= 8:
                    self._known.pop(min(self._known))
                self._known[version] = await self._read(version)
            return self._known[version]

    async def _read(self, version: int) -> Plans:
        catalogs: dict[str, Catalog] = {}
        plans: dict[str, Plan] = {}
        for workspace in await self._definitions.workspaces():
            stored = await self._definitions.in_force(workspace, version)
            catalogs[workspace] = catalog = catalog_of(stored)
            versions = {d.name: d.version for d in stored if d.kind == Kind.SEGMENT}
            plans[workspace] = catalog.plan(version=version, versions=versions)
        return Plans(version=version, by_workspace=plans, catalogs=catalogs)


def catalog_of(stored: list[StoredDefinition]) -> Catalog:
    """The catalog that stored definitions make."""
    return catalog_from_bodies((d.kind, d.name, d.body, d.source) for d in stored)
