"""DefinitionService: takes definitions, checks them as a whole, and tells how they were."""

import difflib
from collections.abc import Sequence

import grpc
from hairspring.contracts.definition.v1 import definition_pb2, definition_service_pb2
from hairspring.contracts.definition.v1.definition_service_pb2_grpc import (
    DefinitionServiceServicer,
)
from hairspring.definitions import (
    BadDefinitions,
    Catalog,
    Change,
    ChangeType,
    Kind,
    Manifest,
    Problem,
    load,
)
from hairspring.definitions.names import flaw_in
from hairspring.runtime.errors import InvalidInput, NotFound
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.rule_evaluator.applying import Applied, Applying, Standing, by_key
from hairspring.services.rule_evaluator.handlers.pages import (
    make_token,
    page_size,
    read_token,
)
from hairspring.store.definitions import DefinitionStore, StoredDefinition
from hairspring.wire.times import iso, set_ms, to_ms

MOST_MANIFESTS = 1_000
MOST_TEXT = 8_000_000

KINDS = {
    Kind.SEGMENT: definition_pb2.DEFINITION_KIND_SEGMENT,
    Kind.FLOW: definition_pb2.DEFINITION_KIND_FLOW,
    Kind.TEMPLATE: definition_pb2.DEFINITION_KIND_TEMPLATE,
}
TYPES = {
    ChangeType.ADDED: definition_pb2.CHANGE_TYPE_ADDED,
    ChangeType.CHANGED: definition_pb2.CHANGE_TYPE_CHANGED,
    ChangeType.UNCHANGED: definition_pb2.CHANGE_TYPE_UNCHANGED,
    ChangeType.REMOVED: definition_pb2.CHANGE_TYPE_REMOVED,
}


class DefinitionHandlers(DefinitionServiceServicer):
    """Serves hairspring.definition.v1.DefinitionService."""

    def __init__(self, definitions: DefinitionStore, applying: Applying) -> None:
        self._definitions = definitions
        self._applying = applying

    async def ApplyDefinitions(
        self,
        request: definition_service_pb2.ApplyDefinitionsRequest,
        context: grpc.aio.ServicerContext,
    ) -> definition_service_pb2.ApplyDefinitionsResponse:
        """Checks definitions as a whole and puts them in force, all or none."""
        workspace = workspace_of(request.workspace_id)
        check_size(request.manifests)

        def decide(before: Standing) -> Catalog:
            manifests = [Manifest(path=given.path, text=given.text) for given in request.manifests]
            return load(manifests, before.catalog, prune=request.prune)

        try:
            applied = await self._applying.apply(
                workspace, decide, dry_run=request.dry_run, with_flows=request.with_flows
            )
        except BadDefinitions as error:
            return definition_service_pb2.ApplyDefinitionsResponse(
                problems=[problem(one) for one in error.problems]
            )
        assert isinstance(applied, Applied)  # the request has no name
        response = definition_service_pb2.ApplyDefinitionsResponse(
            changes=[_change(change, applied, request.dry_run) for change in applied.changes],
            plan_version=applied.version,
        )
        if not request.dry_run:
            wait = request.wait if request.HasField("wait") else None
            names = _segments_in(applied.changes)
            awaited = await self._applying.wait(workspace, names, applied.version, wait)
            response.waiting_shards.extend(awaited.shards)
            response.filling_segments.extend(awaited.filling)
        return response

    async def ListDefinitions(
        self,
        request: definition_service_pb2.ListDefinitionsRequest,
        context: grpc.aio.ServicerContext,
    ) -> definition_service_pb2.ListDefinitionsResponse:
        """Lists the definitions in force, now or at a plan version."""
        workspace = workspace_of(request.workspace_id)
        version, _ = await self._moment(request)
        stored = await self._definitions.in_force(workspace, version)
        return definition_service_pb2.ListDefinitionsResponse(
            definitions=[
                _definition(d) for d in stored if request.kind in (0, KINDS.get(Kind(d.kind)))
            ],
            plan_version=version,
        )

    async def GetDefinition(
        self,
        request: definition_service_pb2.GetDefinitionRequest,
        context: grpc.aio.ServicerContext,
    ) -> definition_service_pb2.GetDefinitionResponse:
        """Tells one definition, as it is or as it was."""
        workspace, kind = workspace_of(request.workspace_id), _kind(request.kind)
        version, when = await self._moment(request)
        stored = await find(self._definitions, workspace, kind, request.name, version, when)
        return definition_service_pb2.GetDefinitionResponse(definition=_definition(stored))

    async def ListDefinitionVersions(
        self,
        request: definition_service_pb2.ListDefinitionVersionsRequest,
        context: grpc.aio.ServicerContext,
    ) -> definition_service_pb2.ListDefinitionVersionsResponse:
        """Lists every form that a definition had, the latest first."""
        workspace, kind = workspace_of(request.workspace_id), _kind(request.kind)
        size = page_size(request.page_size)
        check_name(kind, request.name)
        latest = await self._definitions.latest()
        start = _start(request.page_token) if request.page_token else latest
        # One more tells what happened at the last of the page, and whether there is a next one.
        forms = await self._definitions.forms(
            workspace, kind, request.name, version=start, limit=size + 1
        )
        if not forms and not request.page_token:
            await find(self._definitions, workspace, kind, request.name, latest, "")
        response = definition_service_pb2.ListDefinitionVersionsResponse(
            versions=[
                _version(form, forms[index + 1] if index + 1 < len(forms) else None)
                for index, form in enumerate(forms[:size])
            ]
        )
        if len(forms) > size:
            response.next_page_token = make_token(str(forms[size].version))
        return response

    async def _moment(
        self,
        request: (
            definition_service_pb2.ListDefinitionsRequest
            | definition_service_pb2.GetDefinitionRequest
        ),
    ) -> tuple[int, str]:
        """The plan version that is asked about, and how the question put it."""
        if request.WhichOneof("moment") == "read_time":
            at = to_ms(request.read_time)
            return await self._definitions.version_at(at), f"at {iso(at)}"
        version = await known_version(self._definitions, request.plan_version)
        return version, f"at plan version {version}" if request.plan_version else ""


async def known_version(definitions: DefinitionStore, asked: int) -> int:
    """The plan version that is meant, the latest for 0. Raises InvalidInput if there is none."""
    latest = await definitions.latest()
    if not 0 <= asked <= latest:
        raise InvalidInput(f"there is no plan version {asked}; the latest is {latest}")
    return asked or latest


async def find(
    definitions: DefinitionStore, workspace: str, kind: Kind, name: str, version: int, when: str
) -> StoredDefinition:
    """A definition at a plan version, which `when` says in words. Raises NotFound with a hint."""
    check_name(kind, name)
    forms = await definitions.forms(workspace, kind, name, version=version, limit=1)
    if forms and not forms[0].removed:
        return forms[0]
    said = f"there is no {kind} {name}" if not when else f"there was no {kind} {name} {when}"
    if forms:
        raise NotFound(f"{said}; it was removed by plan version {forms[0].version}")
    known = {d.name for d in await definitions.in_force(workspace, version) if d.kind == kind}
    near = difflib.get_close_matches(name, sorted(known), n=1)
    raise NotFound(f"{said}; did you mean {near[0]}?" if near else said)


def check_name(kind: Kind, name: str) -> None:
    """Raises NotFound for what cannot be the name of anything."""
    flaw = flaw_in(name)
    if flaw is not None:
        raise NotFound(f"there is no {kind} with such a name: {flaw}")


def _kind(asked: int) -> Kind:
    for kind, number in KINDS.items():
        if asked == number:
            return kind
    raise InvalidInput("kind says what is asked for: a segment, a flow or a template")


def _start(token: str) -> int:
    text = read_token(token)
    if not text.isdecimal() or len(text) > 18:
        raise InvalidInput("page_token is none that was answered before")
    return int(text)


def check_size(manifests: Sequence[definition_pb2.Manifest]) -> None:
    """Raises InvalidInput for more than can be applied at once."""
    if len(manifests) > MOST_MANIFESTS:
        raise InvalidInput(f"at most {MOST_MANIFESTS} manifests can be applied at once")
    if sum(len(manifest.text) for manifest in manifests) > MOST_TEXT:
        raise InvalidInput(f"at most {MOST_TEXT} characters can be applied at once")


def _segments_in(changes: Sequence[Change]) -> set[str]:
    """The segments that are new or changed; all of them where nothing is."""
    told = [change for change in changes if change.type is not ChangeType.UNCHANGED] or changes
    return {change.name for change in told if change.kind is Kind.SEGMENT}


def problem(found: Problem) -> definition_pb2.Problem:
    """A problem as the contract tells it."""
    return definition_pb2.Problem(
        manifest_path=found.manifest_path,
        line=found.line,
        column=found.column,
        field_path=found.field_path,
        description=found.description,
    )


def _change(
    change: Change, applied: Applied, with_sources: bool
) -> definition_pb2.DefinitionChange:
    told = definition_pb2.DefinitionChange(
        kind=KINDS[change.kind], name=change.name, type=TYPES[change.type]
    )
    if with_sources and change.type is not ChangeType.UNCHANGED:
        key = (change.kind, change.name)
        old, new = by_key(applied.before.catalog).get(key), by_key(applied.after).get(key)
        told.old_source = old.source if old is not None else ""
        told.new_source = new.source if new is not None else ""
    return told


def _definition(stored: StoredDefinition) -> definition_pb2.Definition:
    definition = definition_pb2.Definition(
        kind=KINDS[Kind(stored.kind)],
        name=stored.name,
        version=stored.version,
        body_json=stored.body,
        source=stored.source,
    )
    set_ms(definition.apply_time, stored.applied_at)
    return definition


def _version(
    form: StoredDefinition, earlier: StoredDefinition | None
) -> definition_pb2.DefinitionVersion:
    change = ChangeType.CHANGED
    if form.removed:
        change = ChangeType.REMOVED
    elif earlier is None or earlier.removed:
        change = ChangeType.ADDED
    told = definition_pb2.DefinitionVersion(
        version=form.version, type=TYPES[change], source=form.source
    )
    set_ms(told.apply_time, form.applied_at)
    return told
