"""Definitions in memory, for simulations and for embedding; they pass the suite of Postgres."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hairspring.ownership.port import Owned
from hairspring.store.definitions import Applied, DefinitionStore, PlanMoved, StoredDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A plan version as it was written."""

    workspace: str
    applied_at: int
    activates: bool = False
    with_flows: bool = False


@dataclass(slots=True)
class _Book:
    """What was written: the plans in the order of versions, and every form in its workspace."""

    plans: list[_Plan] = field(default_factory=list)
    forms: list[tuple[str, StoredDefinition]] = field(default_factory=list)
    requests: dict[tuple[str, str], int] = field(default_factory=dict)


def _tell_nobody() -> None:
    """For those who look by themselves."""


class MemoryDefinitions(DefinitionStore):
    """Definitions that live as long as their process.

    `shards` are those whose plan versions are asked for; `tell` is called after each change.
    """

    def __init__(
        self, shards: Callable[[], Mapping[int, Owned]], tell: Callable[[], None] = _tell_nobody
    ) -> None:
        self._shards = shards
        self._tell = tell
        self._book = _Book()

    @property
    def channel(self) -> str:
        """Where a new plan version is notified."""
        return "plans"

    async def latest(self) -> int:
        """The latest plan version; 0 where nothing was ever applied."""
        return len(self._book.plans)

    async def workspaces(self) -> list[str]:
        """The workspaces that have definitions."""
        return sorted({plan.workspace for plan in self._book.plans})

    async def in_force(self, workspace: str, version: int) -> list[StoredDefinition]:
        """The definitions of a workspace at a plan version, by kind and name."""
        latest: dict[tuple[str, str], StoredDefinition] = {}
        for found, form in self._book.forms:
            if found == workspace and form.version <= version:
                latest[form.kind, form.name] = form
        return [latest[named] for named in sorted(latest) if not latest[named].removed]

    async def forms(
        self, workspace: str, kind: str, name: str, *, version: int, limit: int
    ) -> list[StoredDefinition]:
        """The forms of a definition up to a plan version, the latest first, removals too."""
        found = [
            form
            for whose, form in reversed(self._book.forms)
            if (whose, form.kind, form.name) == (workspace, kind, name) and form.version <= version
        ]
        return found[:limit]

    async def version_at(self, at: int) -> int:
        """The plan version that was the latest at a time (milliseconds, UTC); 0 for none."""
        plans = enumerate(self._book.plans, 1)
        return max((version for version, plan in plans if plan.applied_at <= at), default=0)

    async def changed(self, workspace: str, kind: str) -> list[Applied]:
        """The plan versions that changed definitions of a kind, or put in force what was filled."""
        touched = {
            form.version
            for whose, form in self._book.forms
            if (whose, form.kind) == (workspace, kind)
        }
        return [
            Applied(version=version, applied_at=plan.applied_at)
            for version, plan in enumerate(self._book.plans, 1)
            if plan.workspace == workspace and (plan.activates or version in touched)
        ]

    async def activation(self, version: int) -> tuple[str, int] | None:
        """Whose filled forms a plan version puts in force, and when (milliseconds, UTC)."""
        if not 1 <= version <= len(self._book.plans):
            return None
        plan = self._book.plans[version - 1]
        return (plan.workspace, plan.applied_at) if plan.activates else None

    async def activated(self, workspace: str, version: int) -> int:
        """The latest plan version up to one given that put filled forms in force; 0 for none."""
        plans = enumerate(self._book.plans[:version], 1)
        found = (n for n, plan in plans if plan.workspace == workspace and plan.activates)
        return max(found, default=0)

    async def removed(self, workspace: str, kind: str, after: int, version: int) -> set[str]:
        """The names of what was removed after a plan version, up to another."""
        return {
            form.name
            for whose, form in self._book.forms
            if (whose, form.kind, form.removed) == (workspace, kind, True)
            and after < form.version <= version
        }

    async def requested(self, workspace: str, request_id: str) -> int | None:
        """The plan version that a named request brought; None if it was not carried out."""
        return self._book.requests.get((workspace, request_id))

    async def apply(
        self,
        workspace: str,
        changed: Sequence[StoredDefinition],
        *,
        after: int,
        now: int,
        request_id: str = "",
        with_flows: bool = False,
    ) -> int:
        """Writes changed definitions as the next plan version, and tells; raises PlanMoved."""
        plan = _Plan(workspace=workspace, applied_at=now, with_flows=with_flows)
        version = self._add(plan, after)
        for form in changed:
            written = replace(
                form, kind=str(form.kind), version=version, applied_at=now, with_flows=with_flows
            )
            self._book.forms.append((workspace, written))
        if request_id:
            self._book.requests[workspace, request_id] = version
        self._tell()
        return version

    async def activate(self, workspace: str, *, after: int, now: int) -> int:
        """Puts what has been filled in force, as the next plan version; raises PlanMoved."""
        version = self._add(_Plan(workspace=workspace, applied_at=now, activates=True), after)
        self._tell()
        return version

    def _add(self, plan: _Plan, after: int) -> int:
        latest = len(self._book.plans)
        if latest != after:
            raise PlanMoved(f"plan version {latest} was applied meanwhile")
        self._book.plans.append(plan)
        return after + 1

    async def waiting_shards(self, version: int) -> list[int]:
        """The shards that are judged by an older plan version."""
        rows = self._shards()
        return sorted(shard for shard, row in rows.items() if row.plan_version < version)
