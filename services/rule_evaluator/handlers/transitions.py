"""TransitionService: the evaluator's log, to follow and to list."""

from collections.abc import AsyncIterator

import grpc
from hairspring.contracts.transition.v1 import transition_pb2, transition_service_pb2
from hairspring.contracts.transition.v1.transition_service_pb2_grpc import (
    TransitionServiceServicer,
)
from hairspring.log.port import ERASED, Log, Record
from hairspring.log.shards import shard_of
from hairspring.runtime.errors import InvalidInput
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.rule_evaluator.handlers.pages import (
    make_token,
    page_size,
    read_position,
)
from hairspring.services.rule_evaluator.recorded import READ_AT_ONCE, recorded

LARGEST_BATCH = 5_000
USUAL_BATCH = 500


class TransitionHandlers(TransitionServiceServicer):
    """Serves hairspring.transition.v1.TransitionService."""

    def __init__(self, log: Log, shard_count: int) -> None:
        self._log = log
        self._shard_count = shard_count

    async def TailRecords(
        self,
        request: transition_service_pb2.TailRecordsRequest,
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[transition_service_pb2.TailRecordsResponse]:
        """Follows the log. Sends what is there, then what comes."""
        if not 0 <= request.max_batch_size <= LARGEST_BATCH:
            raise InvalidInput(f"max_batch_size lies between 1 and {LARGEST_BATCH}")
        after = request.after_position
        if after < 0:
            after = await self._log.head()
            yield transition_service_pb2.TailRecordsResponse(through_position=after)
        positions = {asked.shard: asked.position for asked in request.shards}
        async for batch in self._log.tail(
            positions or None,
            after=after,
            max_batch=request.max_batch_size or USUAL_BATCH,
            stop_at_head=request.stop_at_head,
        ):
            yield transition_service_pb2.TailRecordsResponse(
                records=[
                    recorded(record)
                    for record in batch.records
                    if record.profile != ERASED and request.workspace_id in ("", record.workspace)
                ],
                through_position=batch.through,
            )

    async def ListTransitions(
        self,
        request: transition_service_pb2.ListTransitionsRequest,
        context: grpc.aio.ServicerContext,
    ) -> transition_service_pb2.ListTransitionsResponse:
        """Lists recorded transitions, in the order of the log."""
        workspace = workspace_of(request.workspace_id)
        size = page_size(request.page_size)
        after = read_position(request.page_token)
        found: list[transition_pb2.Record] = []
        while len(found) < size:
            records = await self._page(workspace, request.profile_id, after)
            if not records:
                return transition_service_pb2.ListTransitionsResponse(records=found)
            for record in records:
                after = record.position
                out = recorded(record)
                if _wanted(out, workspace, request.segment):
                    found.append(out)
                if len(found) == size:
                    break
        return transition_service_pb2.ListTransitionsResponse(
            records=found, next_page_token=make_token(str(after))
        )

    async def _page(self, workspace: str, profile: str, after: int) -> list[Record]:
        if not profile:
            return await self._log.read(after, READ_AT_ONCE)
        shard = shard_of(workspace, profile, self._shard_count)
        return await self._log.history(
            workspace, [profile], [shard], after=after, limit=READ_AT_ONCE
        )


def _wanted(record: transition_pb2.Record, workspace: str, segment: str) -> bool:
    return (
        record.workspace_id == workspace
        and record.WhichOneof("body") == "transition"
        and segment in ("", record.transition.segment)
    )
