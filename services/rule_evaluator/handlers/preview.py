"""PreviewService: who would be in a segment, before anything is applied."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import grpc
from hairspring.contracts.membership.v1 import membership_pb2
from hairspring.contracts.preview.v1 import preview_pb2, preview_service_pb2
from hairspring.contracts.preview.v1.preview_service_pb2_grpc import PreviewServiceServicer
from hairspring.definitions import (
    BadDefinitions,
    Catalog,
    ChangeType,
    Kind,
    Manifest,
    load,
)
from hairspring.engine.preview import DAY, with_references
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import Exhausted, InvalidInput, NotFound
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.services.rule_evaluator.adapters.profiles import Profiles
from hairspring.services.rule_evaluator.applying import Applied, Applying, Standing
from hairspring.services.rule_evaluator.handlers.definitions import check_size, problem
from hairspring.services.rule_evaluator.previewing.process import started
from hairspring.services.rule_evaluator.previewing.question import Body, Found, Question
from hairspring.wire.times import from_ms, iso

USUAL_DAYS = 30
MOST_DAYS = 400
USUAL_EXAMPLES = 20
MOST_EXAMPLES = 1_000
PROFILES_AT_ONCE = 50

Response = preview_service_pb2.PreviewSegmentResponse


class PreviewHandlers(PreviewServiceServicer):
    """Serves hairspring.preview.v1.PreviewService; one preview at a time."""

    def __init__(
        self,
        applying: Applying,
        profiles: Profiles,
        events: EventLog,
        clock: Clock,
        *,
        ingest_address: str,
        token: str,
        horizon: int,
    ) -> None:
        self._applying = applying
        self._profiles = profiles
        self._events = events
        self._clock = clock
        self._ingest_address = ingest_address
        self._token = token
        self._horizon = horizon
        self._busy = False

    async def PreviewSegment(
        self,
        request: preview_service_pb2.PreviewSegmentRequest,
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[Response]:
        """Tells who would be in a segment."""
        if self._busy:
            raise Exhausted("a preview is under way here; ask again when it has ended")
        self._busy = True
        try:
            async with aclosing(self._preview(request)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            self._busy = False

    async def _preview(
        self, request: preview_service_pb2.PreviewSegmentRequest
    ) -> AsyncGenerator[Response, None]:
        workspace = workspace_of(request.workspace_id)
        since, examples = _since(request), _examples(request)
        check_size(request.manifests)

        def decide(before: Standing) -> Catalog:
            manifests = [Manifest(path=given.path, text=given.text) for given in request.manifests]
            return load(manifests, before.catalog)

        try:
            applied = await self._applying.apply(workspace, decide, dry_run=True)
        except BadDefinitions as error:
            problems = [problem(one) for one in error.problems]
            yield Response(problems=preview_pb2.PreviewProblems(problems=problems))
            return
        assert isinstance(applied, Applied)  # the request has no name
        segment = request.segment or _only_change(applied)
        if segment not in applied.after.segments:
            raise NotFound(f"there is no segment {segment!r}, neither given nor in force")
        barrier = await self._events.barrier(self._clock())
        question = Question(
            ingest_address=self._ingest_address,
            token=self._token,
            workspace=workspace,
            segment=segment,
            new=_bodies(applied.after, segment),
            old=_bodies(applied.before.catalog, segment)
            if segment in applied.before.catalog.segments
            else None,
            since=barrier.through - since,
            at=barrier.through,
            position=barrier.position,
            horizon=self._horizon,
            examples=examples,
        )
        async with aclosing(self._judged(question)) as answers:
            async for answer in answers:
                yield answer

    async def _judged(self, question: Question) -> AsyncGenerator[Response, None]:
        progress = preview_pb2.PreviewProgress(
            all_profiles=await self._profiles.count(question.workspace)
        )
        yield Response(progress=progress)
        async with started(question) as preview:
            async for page in self._profiles.pages(question.workspace, PROFILES_AT_ONCE):
                progress.events += await preview.judge(page)
                progress.profiles += len(page)
                yield Response(progress=progress)
            found = await preview.found()
        yield Response(preview=_told(question, found, progress))


def _since(request: preview_service_pb2.PreviewSegmentRequest) -> int:
    """How far back to count, in milliseconds."""
    if not request.HasField("since"):
        return USUAL_DAYS * DAY
    asked = request.since.seconds * 1000 + request.since.nanos // 1_000_000
    if not 0 < asked <= MOST_DAYS * DAY:
        raise InvalidInput(f"since is more than nothing and at most {MOST_DAYS} days")
    return asked


def _examples(request: preview_service_pb2.PreviewSegmentRequest) -> int:
    if not 0 <= request.most_examples <= MOST_EXAMPLES:
        raise InvalidInput(f"most_examples lies between 1 and {MOST_EXAMPLES}")
    return request.most_examples or USUAL_EXAMPLES


def _only_change(applied: Applied) -> str:
    """The one segment that applying would add or change. Raises InvalidInput."""
    names = [
        change.name
        for change in applied.changes
        if change.kind is Kind.SEGMENT and change.type in (ChangeType.ADDED, ChangeType.CHANGED)
    ]
    if len(names) == 1:
        return names[0]
    if not names:
        raise InvalidInput("no segment would be added or changed; name the one that is meant")
    raise InvalidInput(f"several segments would change ({', '.join(names)}): name one of them")


def _bodies(catalog: Catalog, segment: str) -> list[Body]:
    """A segment and all that it refers to, in their canonical forms."""
    engine = [definition.segment for definition in catalog.segments.values()]
    return [
        (one.name, catalog.segments[one.name].body_json.decode(), "")
        for one in with_references(engine, segment)
    ]


def _told(
    question: Question, found: Found, progress: preview_pb2.PreviewProgress
) -> preview_pb2.Preview:
    def members(given: list[tuple[str, int]]) -> list[membership_pb2.Membership]:
        return [
            membership_pb2.Membership(
                profile_id=profile, segment=question.segment, enter_time=from_ms(entered_at)
            )
            for profile, entered_at in given
        ]

    told = preview_pb2.Preview(
        segment=question.segment,
        read_time=from_ms(question.at),
        members=found.members,
        examples=members(found.examples),
        days=[
            preview_pb2.PreviewDay(day=iso(day * DAY)[:10], entered=entered, left=left)
            for day, entered, left in found.days
        ],
        profiles=progress.profiles,
        events=progress.events,
    )
    if found.before is not None:
        told.difference.CopyFrom(
            preview_pb2.PreviewDifference(
                members=found.before,
                gained=found.gained,
                lost=found.lost,
                gained_examples=members(found.gained_examples),
                lost_examples=members(found.lost_examples),
            )
        )
    return told
