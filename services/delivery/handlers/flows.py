"""FlowService: tells how flows run."""

from __future__ import annotations

from typing import Any

import grpc
from hairspring.contracts.flow.v1 import flow_service_pb2, flow_service_pb2_grpc, run_pb2
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.delivery.adapters.listing import Listing
from hairspring.services.delivery.handlers.requests import page_size_of
from hairspring.services.delivery.runs import Run, RunStatus
from hairspring.wire.times import set_ms

_STATUSES = {
    RunStatus.ACTIVE: run_pb2.RUN_STATUS_ACTIVE,
    RunStatus.ENDED: run_pb2.RUN_STATUS_ENDED,
    RunStatus.NOT_STARTED: run_pb2.RUN_STATUS_NOT_STARTED,
}


class FlowHandlers(flow_service_pb2_grpc.FlowServiceServicer):
    """Answers from the table of runs."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    async def ListRuns(
        self,
        request: flow_service_pb2.ListRunsRequest,
        context: grpc.aio.ServicerContext,
    ) -> flow_service_pb2.ListRunsResponse:
        """List runs, the latest first."""
        told = {"flow": request.flow, "profile": request.profile_id, "status": request.status}
        filters: dict[str, Any] = {column: value for column, value in told.items() if value}
        runs, more = await self._listing.runs(
            workspace_of(request.workspace_id),
            filters,
            page_size_of(request.page_size),
            request.page_token,
        )
        return flow_service_pb2.ListRunsResponse(
            runs=[to_contract(run) for run in runs], next_page_token=more
        )


def to_contract(run: Run) -> run_pb2.Run:
    """Translate a run."""
    out = run_pb2.Run(
        run_id=run.run_id,
        flow=run.flow,
        profile_id=run.profile,
        status=_STATUSES[run.status],
        step=run.step,
        reason=run.reason,
    )
    set_ms(out.start_time, run.started_at)
    if run.ended_at is not None:
        set_ms(out.end_time, run.ended_at)
    if run.wake_at is not None:
        set_ms(out.due_time, run.wake_at)
    return out
