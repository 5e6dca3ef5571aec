"""Answers the calls of EventService: translate, record, translate."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import orjson
from hairspring.contracts.event.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc
from hairspring.runtime.errors import InvalidInput
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.ingest.imports import Imports
from hairspring.services.ingest.judging import check_import_id
from hairspring.services.ingest.recording import Recording, Result, Status
from hairspring.services.ingest.streaming import Asked, answered
from hairspring.services.ingest.tracing import note_call
from hairspring.wire.times import set_ms

MAX_EVENTS = 2_500

_STATUS = {
    Status.ACCEPTED: event_service_pb2.EVENT_STATUS_ACCEPTED,
    Status.REPEATED: event_service_pb2.EVENT_STATUS_REPEATED,
    Status.REFUSED: event_service_pb2.EVENT_STATUS_REFUSED,
    Status.DELETED: event_service_pb2.EVENT_STATUS_DELETED,
}


class EventHandlers(event_service_pb2_grpc.EventServiceServicer):
    """The calls by which events come in."""

    def __init__(self, recording: Recording, imports: Imports) -> None:
        self._recording = recording
        self._imports = imports

    async def TrackEvent(
        self, request: event_service_pb2.TrackEventRequest, context: Any
    ) -> event_service_pb2.TrackEventResponse:
        """Record one event."""
        workspace = workspace_of(request.workspace_id)
        [result] = await self._recording.record(workspace, [request.event])
        note_call(context, workspace, [result])
        return event_service_pb2.TrackEventResponse(result=to_result(result))

    async def BatchTrackEvents(
        self, request: event_service_pb2.BatchTrackEventsRequest, context: Any
    ) -> event_service_pb2.BatchTrackEventsResponse:
        """Record many events, each accepted or refused on its own."""
        workspace = workspace_of(request.workspace_id)
        results = await self._recording.record(workspace, _not_too_many(request.events))
        note_call(context, workspace, results)
        answer = event_service_pb2.BatchTrackEventsResponse()
        for result in results:
            to_result(result, answer.results.add())
        return answer

    async def StreamEvents(
        self, requests: AsyncIterator[event_service_pb2.StreamEventsRequest], context: Any
    ) -> AsyncIterator[event_service_pb2.StreamEventsResponse]:
        """Record events as they come, and answer each request in its turn."""

        async def record(workspace: str, events: Sequence[event_pb2.Event]) -> list[Result]:
            results = await self._recording.record(workspace, events)
            note_call(context, workspace, results)
            return results

        async with aclosing(answered(requests, _asked, record)) as answers:
            async for results in answers:
                answer = event_service_pb2.StreamEventsResponse()
                for result in results:
                    to_result(result, answer.results.add())
                yield answer

    async def IdentifyProfile(
        self, request: event_service_pb2.IdentifyProfileRequest, context: Any
    ) -> event_service_pb2.IdentifyProfileResponse:
        """Record the traits of a profile."""
        workspace = workspace_of(request.workspace_id)
        [result] = await self._recording.record(workspace, [_identify(request)])
        note_call(context, workspace, [result])
        return event_service_pb2.IdentifyProfileResponse(result=to_result(result))

    async def AliasProfile(
        self, request: event_service_pb2.AliasProfileRequest, context: Any
    ) -> event_service_pb2.AliasProfileResponse:
        """Make two ids one profile."""
        workspace = workspace_of(request.workspace_id)
        event = event_pb2.Event(
            message_id=request.message_id,
            profile_id=request.profile_id,
            type=event_pb2.EVENT_TYPE_ALIAS,
            previous_id=request.previous_id,
        )
        if request.HasField("occur_time"):
            event.occur_time.CopyFrom(request.occur_time)
        [result] = await self._recording.record(workspace, [event])
        note_call(context, workspace, [result])
        return event_service_pb2.AliasProfileResponse(result=to_result(result))

    async def AddTags(
        self, request: event_service_pb2.AddTagsRequest, context: Any
    ) -> event_service_pb2.AddTagsResponse:
        """Record that tags are attached."""
        result = await self._tag(request, event_pb2.EVENT_TYPE_ADD_TAGS, context)
        return event_service_pb2.AddTagsResponse(result=result)

    async def RemoveTags(
        self, request: event_service_pb2.RemoveTagsRequest, context: Any
    ) -> event_service_pb2.RemoveTagsResponse:
        """Record that tags are taken off."""
        result = await self._tag(request, event_pb2.EVENT_TYPE_REMOVE_TAGS, context)
        return event_service_pb2.RemoveTagsResponse(result=result)

    async def _tag(
        self,
        request: event_service_pb2.AddTagsRequest | event_service_pb2.RemoveTagsRequest,
        kind: "event_pb2.EventType.ValueType",
        context: Any,
    ) -> event_service_pb2.EventResult:
        event = event_pb2.Event(
            message_id=request.message_id,
            profile_id=request.profile_id,
            type=kind,
            properties_json=orjson.dumps({"tags": list(request.tags)}),
        )
        if request.HasField("occur_time"):
            event.occur_time.CopyFrom(request.occur_time)
        workspace = workspace_of(request.workspace_id)
        [result] = await self._recording.record(workspace, [event])
        note_call(context, workspace, [result])
        return to_result(result)

    async def ImportEvents(
        self, request: event_service_pb2.ImportEventsRequest, context: Any
    ) -> event_service_pb2.ImportEventsResponse:
        """Record history under an import."""
        workspace = workspace_of(request.workspace_id)
        results = await self._recording.import_events(
            workspace, request.import_id, _not_too_many(request.events)
        )
        return event_service_pb2.ImportEventsResponse(results=map(to_result, results))

    async def FinishImport(
        self, request: event_service_pb2.FinishImportRequest, context: Any
    ) -> event_service_pb2.FinishImportResponse:
        """Finish an import."""
        workspace = workspace_of(request.workspace_id)
        check_import_id(request.import_id)
        position = await self._imports.finish(
            workspace, request.import_id, with_flows=request.with_flows
        )
        return event_service_pb2.FinishImportResponse(position=position)


def to_result(
    result: Result, into: event_service_pb2.EventResult | None = None
) -> event_service_pb2.EventResult:
    """Translate what became of one event, `into` an empty answer where one is given."""
    answer = event_service_pb2.EventResult() if into is None else into
    answer.message_id = result.message_id
    if result.status is Status.ACCEPTED:
        answer.status = event_service_pb2.EVENT_STATUS_ACCEPTED
        answer.position = result.position
        set_ms(answer.accept_time, result.accepted_at)
    else:
        answer.status = _STATUS[result.status]
        answer.problem = result.problem
    return answer


def _asked(request: event_service_pb2.StreamEventsRequest) -> Asked:
    return Asked(
        workspace=workspace_of(request.workspace_id),
        events=_not_too_many(request.events),
        size=request.ByteSize(),
    )


def _identify(request: event_service_pb2.IdentifyProfileRequest) -> event_pb2.Event:
    event = event_pb2.Event(
        message_id=request.message_id,
        profile_id=request.profile_id,
        anonymous_id=request.anonymous_id,
        type=event_pb2.EVENT_TYPE_IDENTIFY,
        properties_json=request.traits_json,
    )
    if request.HasField("traits"):
        event.properties.CopyFrom(request.traits)
    if request.HasField("occur_time"):
        event.occur_time.CopyFrom(request.occur_time)
    return event


def _not_too_many(events: Sequence[event_pb2.Event]) -> Sequence[event_pb2.Event]:
    if len(events) > MAX_EVENTS:
        raise InvalidInput(
            f"{len(events)} events in one call; at most {MAX_EVENTS} are taken", field="events"
        )
    return events
