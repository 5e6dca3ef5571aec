"""The plans: what is to be judged by, at which plan version."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from hairspring.definitions import Catalog, Kind, catalog_from_bodies
from hairspring.engine.plan import Plan
from hairspring.services.rule_evaluator import forms
from hairspring.services.rule_evaluator.forms import Filling
from hairspring.store.definitions import DefinitionStore, PlanMoved, StoredDefinition
from hairspring.store.port import Adoption


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A workspace's forms that were filled are put in force, as they stand at a moment."""

    workspace: str
    through: int  #: Milliseconds, UTC.


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """The plans of all workspaces at one version."""

    version: int = 0
    by_workspace: Mapping[str, Plan] = field(default_factory=dict)
    """What is in force."""
    fillings: Mapping[str, Filling] = field(default_factory=dict)
    """What is being filled, in those workspaces where something is."""
    activation: Activation | None = None
    """What this version puts in force, if that is what it does."""
    catalogs: Mapping[str, Catalog] = field(default_factory=dict)
    """The definitions that were applied, in force or being filled."""

    def adoption_from(self, before: "Plans") -> Adoption:
        """What has to be done when these plans follow others."""
        removed = [
            (workspace, name)
            for workspace, plan in before.by_workspace.items()
            for name in sorted(plan.number)
            if workspace not in self.by_workspace or name not in self.by_workspace[workspace].number
        ]
        fill = [
            workspace
            for workspace, filling in self.fillings.items()
            if not filling.forms.items() <= _forms(before.fillings.get(workspace)).items()
        ]
        drop = [workspace for workspace in before.fillings if workspace not in self.fillings]
        return Adoption(version=self.version, removed=removed, fill=fill, drop=drop)


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

    async def adopted(self, version: int) -> bool:
        """Whether every shard judges by a version, or a later one."""
        return not await self._definitions.waiting_shards(version)

    async def coming(self, workspace: str) -> Filling | None:
        """What is being filled, or has been and is not in force in every shard yet."""
        plans = await self.at(await self.latest())
        if (filling := plans.fillings.get(workspace)) is not None:
            return filling
        activated = await self._definitions.activated(workspace, plans.version)
        if not activated or await self.adopted(activated):
            return None
        return (await self.at(activated - 1)).fillings.get(workspace)

    async def activate(self, workspace: str, *, after: int, now: int) -> bool:
        """Puts what has been filled in force, by the version that follows `after`.

        Answers False where another version has come meanwhile: then look again.
        """
        try:
            await self._definitions.activate(workspace, after=after, now=now)
        except PlanMoved:
            return False
        return True

    async def _read(self, version: int) -> Plans:
        catalogs: dict[str, Catalog] = {}
        plans: dict[str, Plan] = {}
        fillings: dict[str, Filling] = {}
        for workspace in await self._definitions.workspaces():
            stored = await self._definitions.in_force(workspace, version)
            catalogs[workspace] = catalog_of(stored)
            latest = [one for one in stored if one.kind == Kind.SEGMENT]
            active = await self._active(workspace, version, latest)
            versions = {name: one.version for name, one in active.items()}
            plan = catalog_of(list(active.values())).plan(version=version, versions=versions)
            plans[workspace] = plan
            filling = forms.filling(active, latest)
            if filling is not None:
                fillings[workspace] = filling
        activation = await self._definitions.activation(version)
        return Plans(
            version=version,
            by_workspace=plans,
            fillings=fillings,
            activation=None
            if activation is None
            else Activation(workspace=activation[0], through=activation[1]),
            catalogs=catalogs,
        )

    async def _active(
        self, workspace: str, version: int, latest: list[StoredDefinition]
    ) -> dict[str, StoredDefinition]:
        base = await self._definitions.activated(workspace, version)
        stored = await self._definitions.in_force(workspace, base) if base else []
        removed = await self._definitions.removed(workspace, Kind.SEGMENT, base, version)
        segments = [one for one in stored if one.kind == Kind.SEGMENT]
        return forms.in_force(segments, latest, removed)


def catalog_of(stored: list[StoredDefinition]) -> Catalog:
    """The catalog that stored definitions make."""
    return catalog_from_bodies((d.kind, d.name, d.body, d.source) for d in stored)


def _forms(filling: Filling | None) -> Mapping[str, str]:
    return filling.forms if filling is not None else {}
