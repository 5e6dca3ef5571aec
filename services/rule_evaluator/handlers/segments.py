"""SegmentService: takes segments one by one as typed messages, by the checks that YAML has."""

from collections.abc import Mapping, Sequence

import grpc
import orjson
from google.protobuf.duration_pb2 import Duration
from hairspring.contracts.segment.v1 import segment_pb2, segment_service_pb2
from hairspring.contracts.segment.v1.segment_service_pb2_grpc import SegmentServiceServicer
from hairspring.definitions import (
    BadDefinitions,
    Catalog,
    Kind,
    Manifest,
    Problem,
    load,
)
from hairspring.definitions.catalog import collect
from hairspring.definitions.referring import referring
from hairspring.definitions.writing import write
from hairspring.runtime.errors import AlreadyExists, Conflict, InvalidInput, NotFound, NotNow
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.rule_evaluator.applying import (
    NOTHING,
    Applied,
    Applying,
    Awaited,
    Decide,
    Standing,
)
from hairspring.services.rule_evaluator.handlers.definitions import find, known_version
from hairspring.services.rule_evaluator.handlers.pages import (
    make_token,
    page_size,
    read_token,
)
from hairspring.store.definitions import DefinitionStore, StoredDefinition
from hairspring.wire.segments import from_body, to_tree
from hairspring.wire.times import set_ms

LONGEST_REQUEST_ID = 255
LONGEST_MESSAGE = 500


class SegmentHandlers(SegmentServiceServicer):
    """Serves hairspring.segment.v1.SegmentService."""

    def __init__(self, definitions: DefinitionStore, applying: Applying) -> None:
        self._definitions = definitions
        self._applying = applying

    async def CreateSegment(
        self,
        request: segment_service_pb2.CreateSegmentRequest,
        context: grpc.aio.ServicerContext,
    ) -> segment_service_pb2.CreateSegmentResponse:
        """Puts a new segment in force."""
        made = request.segment

        def decide(before: Standing) -> Catalog:
            after = _checked(made, before.catalog)
            standing = before.catalog.segments.get(made.name)
            if standing is not None and standing.body != after.segments[made.name].body:
                raise AlreadyExists(
                    f"there is a segment {made.name} with other content; use UpdateSegment"
                )
            return after if standing is None else before.catalog

        segment, awaited = await self._apply(request, decide)
        return segment_service_pb2.CreateSegmentResponse(
            segment=segment, waiting_shards=awaited.shards, filling=bool(awaited.filling)
        )

    async def UpdateSegment(
        self,
        request: segment_service_pb2.UpdateSegmentRequest,
        context: grpc.aio.ServicerContext,
    ) -> segment_service_pb2.UpdateSegmentResponse:
        """Puts a segment that exists in force in another form."""
        made = request.segment

        def decide(before: Standing) -> Catalog:
            after = _checked(made, before.catalog)
            standing = before.catalog.segments.get(made.name)
            if standing is None:
                raise NotFound(f"there is no segment {made.name}; use CreateSegment")
            if standing.body == after.segments[made.name].body:
                return before.catalog
            _check_version(before, made.name, request.expected_version)
            return after

        segment, awaited = await self._apply(request, decide)
        return segment_service_pb2.UpdateSegmentResponse(
            segment=segment, waiting_shards=awaited.shards, filling=bool(awaited.filling)
        )

    async def GetSegment(
        self, request: segment_service_pb2.GetSegmentRequest, context: grpc.aio.ServicerContext
    ) -> segment_service_pb2.GetSegmentResponse:
        """Tells a segment, as it is or as it was."""
        workspace = workspace_of(request.workspace_id)
        version = await known_version(self._definitions, request.plan_version)
        when = f"at plan version {version}" if request.plan_version else ""
        stored = await find(self._definitions, workspace, Kind.SEGMENT, request.name, version, when)
        return segment_service_pb2.GetSegmentResponse(segment=_segment(stored))

    async def ListSegments(
        self, request: segment_service_pb2.ListSegmentsRequest, context: grpc.aio.ServicerContext
    ) -> segment_service_pb2.ListSegmentsResponse:
        """Lists the segments in force, by name."""
        workspace, size = workspace_of(request.workspace_id), page_size(request.page_size)
        after = read_token(request.page_token) if request.page_token else ""
        latest = await self._definitions.latest()
        stored = await self._definitions.in_force(workspace, latest)
        named = sorted(
            (one for one in stored if one.kind == Kind.SEGMENT and one.name > after),
            key=lambda one: one.name,
        )
        response = segment_service_pb2.ListSegmentsResponse(
            segments=[_segment(one) for one in named[:size]]
        )
        if len(named) > size:
            response.next_page_token = make_token(named[size - 1].name)
        return response

    async def DeleteSegment(
        self,
        request: segment_service_pb2.DeleteSegmentRequest,
        context: grpc.aio.ServicerContext,
    ) -> segment_service_pb2.DeleteSegmentResponse:
        """Removes a segment that nothing refers to."""
        workspace, name = workspace_of(request.workspace_id), request.name

        def decide(before: Standing) -> Catalog:
            if name not in before.catalog.segments:
                if request.allow_missing:
                    return before.catalog
                raise NotFound(f"there is no segment {name}")
            _check_version(before, name, request.expected_version)
            _check_unused(before.catalog, name)
            return collect(
                one for one in before.catalog.all() if (one.kind, one.name) != (Kind.SEGMENT, name)
            )

        applied = await self._applying.apply(workspace, decide)
        assert isinstance(applied, Applied)  # the request has no name
        wait = request.wait if request.HasField("wait") else None
        awaited = await self._applying.wait(workspace, (), applied.version, wait)
        return segment_service_pb2.DeleteSegmentResponse(waiting_shards=awaited.shards)

    async def _apply(
        self,
        request: (
            segment_service_pb2.CreateSegmentRequest | segment_service_pb2.UpdateSegmentRequest
        ),
        decide: Decide,
    ) -> tuple[segment_pb2.Segment, Awaited]:
        """Puts one segment in force, and answers it as it stands or would."""
        workspace, name = workspace_of(request.workspace_id), request.segment.name
        if not request.HasField("segment"):
            raise InvalidInput("segment is missing", violations=[("", "segment is missing")])
        if len(request.request_id) > LONGEST_REQUEST_ID or "\0" in request.request_id:
            raise InvalidInput(f"request_id has at most {LONGEST_REQUEST_ID} characters, no NUL")
        try:
            applied = await self._applying.apply(
                workspace, decide, dry_run=request.validate_only, request_id=request.request_id
            )
        except BadDefinitions as error:
            raise _refused(error.problems) from None
        if isinstance(applied, Applied) and request.validate_only:
            segment = from_body(applied.after.segments[name].body)
            segment.source = applied.after.segments[name].source
            return segment, NOTHING
        version = applied.version if isinstance(applied, Applied) else applied
        stored = await self._brought(workspace, name, version, request.request_id)
        wait: Duration | None = request.wait if request.HasField("wait") else None
        return _segment(stored), await self._applying.wait(workspace, [name], version, wait)

    async def _brought(
        self, workspace: str, name: str, version: int, request_id: str
    ) -> StoredDefinition:
        """The segment as it stands at the version that a request brought."""
        forms = await self._definitions.forms(
            workspace, Kind.SEGMENT, name, version=version, limit=1
        )
        if not forms or forms[0].removed:
            raise InvalidInput(f"the request {request_id!r} was one for another segment")
        return forms[0]


def _checked(made: segment_pb2.Segment, standing: Catalog) -> Catalog:
    """The catalog with a segment put over it. Raises BadDefinitions."""
    return load([Manifest(path="segment", text=write(to_tree(made)))], standing)


def _check_version(before: Standing, name: str, expected: int) -> None:
    stands = before.stored[Kind.SEGMENT, name].version
    if expected and expected != stands:
        raise Conflict(
            f"segment {name} stands at version {stands}, not {expected}: read it and try again",
            version=str(stands),
        )


def _check_unused(catalog: Catalog, name: str) -> None:
    users = referring(catalog, Kind.SEGMENT, name)
    if users:
        listed = ", ".join(f"{kind} {user}" for kind, user in users[:10])
        more = f" and {len(users) - 10} more" if len(users) > 10 else ""
        raise NotNow(f"segment {name} is used by {listed}{more}; change or remove that first")


def _refused(problems: Sequence[Problem]) -> InvalidInput:
    first = problems[0]
    place = f"{first.field_path}: " if first.field_path else ""
    more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
    return InvalidInput(
        f"{place}{first.description}"[:LONGEST_MESSAGE] + more,
        violations=[(problem.field_path, problem.description) for problem in problems],
    )


def _segment(stored: StoredDefinition) -> segment_pb2.Segment:
    body: Mapping[str, object] = orjson.loads(stored.body)
    segment = from_body(body)
    segment.version, segment.source = stored.version, stored.source
    set_ms(segment.apply_time, stored.applied_at)
    return segment
