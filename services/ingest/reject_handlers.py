"""Answers the calls of RejectService."""

from typing import Any

from google.protobuf.message import DecodeError
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.reject.v1 import reject_pb2, reject_service_pb2_grpc
from hairspring.contracts.reject.v1 import reject_service_pb2 as contract
from hairspring.runtime.errors import InvalidInput, NotFound
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.ingest.adapters.rejects import Kept, RejectTable
from hairspring.services.ingest.rejecting import BODY, CALL, EVENT
from hairspring.services.ingest.replaying import Replaying
from hairspring.wire.times import set_ms

LARGEST_PAGE = 10_000
USUAL_PAGE = 1_000
MOST_REPLAYED = 500

_SOURCES = {
    CALL: reject_pb2.REJECT_SOURCE_CALL,
    BODY: reject_pb2.REJECT_SOURCE_BODY,
    EVENT: reject_pb2.REJECT_SOURCE_EVENT,
}


class RejectHandlers(reject_service_pb2_grpc.RejectServiceServicer):
    """The calls that tell of rejects, and that have them replayed."""

    def __init__(self, table: RejectTable, replaying: Replaying) -> None:
        self._table = table
        self._replaying = replaying

    async def ListRejects(
        self, request: contract.ListRejectsRequest, context: Any
    ) -> contract.ListRejectsResponse:
        """List rejects, the latest first."""
        if not 0 <= request.page_size <= LARGEST_PAGE:
            raise InvalidInput(f"page_size can be 1 to {LARGEST_PAGE:,}", field="page_size")
        size = request.page_size or USUAL_PAGE
        found = await self._table.page(
            workspace_of(request.workspace_id), _before(request.page_token), request.code, size
        )
        token = f"before-{found[-1].reject_id}" if len(found) == size else ""
        return contract.ListRejectsResponse(rejects=map(to_contract, found), next_page_token=token)

    async def GetReject(
        self, request: contract.GetRejectRequest, context: Any
    ) -> contract.GetRejectResponse:
        """Read one reject, with what was sent."""
        found = await self._table.get(workspace_of(request.workspace_id), [request.reject_id])
        if not found:
            raise NotFound(
                f"there is no reject {request.reject_id}; they are kept for a week",
                reject_id=str(request.reject_id),
            )
        return contract.GetRejectResponse(reject=to_contract(found[0]))

    async def ReplayRejects(
        self, request: contract.ReplayRejectsRequest, context: Any
    ) -> contract.ReplayRejectsResponse:
        """Take rejects in again."""
        if len(request.reject_ids) > MOST_REPLAYED:
            raise InvalidInput(
                f"{len(request.reject_ids)} rejects; at most {MOST_REPLAYED} in one call",
                field="reject_ids",
            )
        outcomes = await self._replaying.replay(
            workspace_of(request.workspace_id), request.reject_ids
        )
        return contract.ReplayRejectsResponse(
            outcomes=[
                contract.ReplayOutcome(
                    reject_id=one.reject_id, accepted=not one.code, problem=one.problem
                )
                for one in outcomes
            ]
        )


def to_contract(kept: Kept) -> reject_pb2.Reject:
    """Translate a reject."""
    one = kept.reject
    out = reject_pb2.Reject(
        reject_id=kept.reject_id,
        source=_SOURCES[one.source],
        code=one.code,
        problem=one.problem,
        message_id=one.message_id,
        profile_id=one.profile,
        kind=one.kind,
        cut=one.cut,
        replays=kept.replays,
        envelope_json=one.envelope,
    )
    set_ms(out.receive_time, one.received_at)
    if one.source != EVENT or one.cut:
        out.payload = one.payload
    elif one.payload:
        try:
            out.event.CopyFrom(event_pb2.Event.FromString(one.payload))
        except DecodeError:
            out.payload = one.payload
    return out


def _before(token: str) -> int:
    if not token:
        return 2**63 - 1
    prefix, _, number = token.partition("-")
    if prefix != "before" or not number.isdecimal() or len(number) > 18:
        raise InvalidInput("the page token is none that was given out", field="page_token")
    return int(number)
