"""DefinitionService: takes definitions, checks them as a whole, and tells those in force."""

import asyncio

import grpc
from hairspring.contracts.definition.v1 import definition_pb2, definition_service_pb2
from hairspring.contracts.definition.v1.definition_service_pb2_grpc import (
    DefinitionServiceServicer,
)
from hairspring.definitions import BadDefinitions, Catalog, Change, Manifest, changes, load
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import InvalidInput
from hairspring.services.rule_evaluator.handlers.pages import workspace_of
from hairspring.services.rule_evaluator.plans import catalog_of
from hairspring.store.definitions import DefinitionStore, PlanMoved, StoredDefinition
from hairspring.wire.times import set_ms

MOST_MANIFESTS = 1_000
MOST_TEXT = 8_000_000
USUAL_WAIT = 10.0
LONGEST_WAIT = 60.0
POLL_SECONDS = 0.02

KINDS = {
    "segment": definition_pb2.DEFINITION_KIND_SEGMENT,
    "flow": definition_pb2.DEFINITION_KIND_FLOW,
    "template": definition_pb2.DEFINITION_KIND_TEMPLATE,
}
TYPES = {
    "added": definition_pb2.CHANGE_TYPE_ADDED,
    "changed": definition_pb2.CHANGE_TYPE_CHANGED,
    "unchanged": definition_pb2.CHANGE_TYPE_UNCHANGED,
    "removed": definition_pb2.CHANGE_TYPE_REMOVED,
}


class DefinitionHandlers(DefinitionServiceServicer):
    """Serves hairspring.definition.v1.DefinitionService."""

    def __init__(self, definitions: DefinitionStore, clock: Clock) -> None:
        self._definitions = definitions
        self._clock = clock

    async def ApplyDefinitions(
        self,
        request: definition_service_pb2.ApplyDefinitionsRequest,
        context: grpc.aio.ServicerContext,
    ) -> definition_service_pb2.ApplyDefinitionsResponse:
        """Checks definitions as a whole and puts them in force, all or none."""
        workspace = workspace_of(request.workspace_id)
        _check_size(request)
        while True:
            latest = await self._definitions.latest()
            before = catalog_of(await self._definitions.in_force(workspace, latest))
            try:
                # A large manifest takes a second or two, in which others want to be served.
                after = await asyncio.to_thread(_load, request, before)
            except BadDefinitions as error:
                return _refused(error)
            found = changes(before, after)
            response = definition_service_pb2.ApplyDefinitionsResponse(
                changes=[_change(change) for change in found], plan_version=latest
            )
            changed = _changed(found, after)
            if request.dry_run or not changed:
                return response
            try:
                response.plan_version = await self._definitions.apply(
                    workspace, changed, after=latest, now=self._clock()
                )
            except PlanMoved:
                continue
            response.waiting_shards.extend(await self._wait(request, response.plan_version))
            return response

    async def ListDefinitions(
        self,
        request: definition_service_pb2.ListDefinitionsRequest,
        context: grpc.aio.ServicerContext,
    ) -> definition_service_pb2.ListDefinitionsResponse:
        """Lists the definitions in force, now or at a plan version."""
        workspace = workspace_of(request.workspace_id)
        latest = await self._definitions.latest()
        version = request.plan_version or latest
        if not 0 <= version <= latest:
            raise InvalidInput(f"there is no plan version {version}; the latest is {latest}")
        stored = await self._definitions.in_force(workspace, version)
        return definition_service_pb2.ListDefinitionsResponse(
            definitions=[_definition(d) for d in stored if request.kind in (0, KINDS.get(d.kind))],
            plan_version=version,
        )

    async def _wait(
        self, request: definition_service_pb2.ApplyDefinitionsRequest, version: int
    ) -> list[int]:
        """Waits until every shard judges by a version; answers those that do not yet."""
        wait = request.wait.ToTimedelta().total_seconds() if request.HasField("wait") else None
        seconds = USUAL_WAIT if wait is None else min(max(wait, 0.0), LONGEST_WAIT)
        end = asyncio.get_running_loop().time() + seconds
        while waiting := await self._definitions.waiting_shards(version):
            if asyncio.get_running_loop().time() >= end:
                break
            await asyncio.sleep(POLL_SECONDS)
        return waiting


def _check_size(request: definition_service_pb2.ApplyDefinitionsRequest) -> None:
    if len(request.manifests) > MOST_MANIFESTS:
        raise InvalidInput(f"at most {MOST_MANIFESTS} manifests can be applied at once")
    if sum(len(manifest.text) for manifest in request.manifests) > MOST_TEXT:
        raise InvalidInput(f"at most {MOST_TEXT} characters can be applied at once")


def _load(request: definition_service_pb2.ApplyDefinitionsRequest, before: Catalog) -> Catalog:
    manifests = [Manifest(path=given.path, text=given.text) for given in request.manifests]
    return load(manifests, before, prune=request.prune)


def _refused(error: BadDefinitions) -> definition_service_pb2.ApplyDefinitionsResponse:
    return definition_service_pb2.ApplyDefinitionsResponse(
        problems=[
            definition_pb2.Problem(
                manifest_path=problem.manifest_path,
                line=problem.line,
                column=problem.column,
                field_path=problem.field_path,
                description=problem.description,
            )
            for problem in error.problems
        ]
    )


def _change(change: Change) -> definition_pb2.DefinitionChange:
    return definition_pb2.DefinitionChange(
        kind=KINDS[change.kind], name=change.name, type=TYPES[change.type]
    )


def _changed(found: list[Change], after: Catalog) -> list[StoredDefinition]:
    """The rows to write for what changed."""
    rows = []
    forms = {(str(definition.kind), definition.name): definition for definition in after.all()}
    for change in found:
        if change.type == "unchanged":
            continue
        if change.type == "removed":
            body, source = b"{}", ""
        else:
            definition = forms[str(change.kind), change.name]
            body, source = definition.body_json, definition.source
        rows.append(
            StoredDefinition(
                kind=change.kind,
                name=change.name,
                version=0,
                body=body,
                source=source,
                removed=change.type == "removed",
            )
        )
    return rows


def _definition(stored: StoredDefinition) -> definition_pb2.Definition:
    definition = definition_pb2.Definition(
        kind=KINDS[stored.kind],
        name=stored.name,
        version=stored.version,
        body_json=stored.body,
        source=stored.source,
    )
    set_ms(definition.apply_time, stored.applied_at)
    return definition
