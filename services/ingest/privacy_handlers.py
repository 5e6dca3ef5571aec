"""Answers the calls of PrivacyService for what ingest keeps of a profile: events and rejects."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.protobuf import json_format
from hairspring.contracts.privacy.v1 import privacy_pb2, privacy_service_pb2_grpc
from hairspring.contracts.privacy.v1 import privacy_service_pb2 as contract
from hairspring.log.deletions import Deletion
from hairspring.log.shards import shard_of
from hairspring.runtime.errors import NotFound
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.ingest.adapters.rejects import Kept, RejectTable
from hairspring.services.ingest.deleting import Deleting
from hairspring.services.ingest.history import History
from hairspring.services.ingest.judging import check_id
from hairspring.services.ingest.reject_handlers import to_contract
from hairspring.wire import event_lines
from hairspring.wire.deletions import Erased, part
from hairspring.wire.json_lines import pieces
from hairspring.wire.times import iso, set_ms

PAGE = 1_000
REJECTS = 50


class PrivacyHandlers(privacy_service_pb2_grpc.PrivacyServiceServicer):
    """Deletes profiles, and hands out what is recorded of them."""

    def __init__(
        self, history: History, rejects: RejectTable, deleting: Deleting, *, shards: int
    ) -> None:
        self._history = history
        self._rejects = rejects
        self._deleting = deleting
        self._shards = shards

    async def DeleteProfile(
        self, request: contract.DeleteProfileRequest, context: Any
    ) -> contract.DeleteProfileResponse:
        """Delete a profile."""
        deletion = await self._deleting.delete(
            workspace_of(request.workspace_id), request.profile_id, request.deletion_id
        )
        return contract.DeleteProfileResponse(deletion=_receipt(deletion))

    async def GetDeletion(
        self, request: contract.GetDeletionRequest, context: Any
    ) -> contract.GetDeletionResponse:
        """Tell how far a deletion is here."""
        workspace = workspace_of(request.workspace_id)
        check_id("deletion_id", request.deletion_id)
        deletion = await self._deleting.of(workspace, request.deletion_id)
        if not deletion:
            raise NotFound(f"there is no deletion {request.deletion_id!r}")
        return contract.GetDeletionResponse(deletion=_receipt(deletion))

    async def ExportProfile(
        self, request: contract.ExportProfileRequest, context: Any
    ) -> AsyncIterator[contract.ExportProfileResponse]:
        """Write the recorded events, in the order of the log, with those of what it was before.

        After them, what was refused of it and is still kept.
        """
        workspace = workspace_of(request.workspace_id)
        check_id("profile_id", request.profile_id)
        async for piece in pieces(self._lines(workspace, request.profile_id)):
            yield contract.ExportProfileResponse(lines=piece)

    async def _lines(self, workspace: str, profile: str) -> AsyncIterator[dict[str, Any]]:
        after, through = 0, await self._history.head()
        shards = [shard_of(workspace, profile, self._shards)]
        owners = await self._history.owners(workspace, [profile], shards, through)
        while True:
            page = await self._history.page(
                workspace,
                owners,
                after=after,
                through=through,
                names=frozenset(),
                limit=PAGE,
            )
            for record in page.records:
                if (line := event_lines.line(record)) is not None:
                    yield {"kind": "event", **line}
            after = page.more_after
            if not after:
                break
        number, ids = 0, [name for _, name in owners]
        while some := await self._rejects.of(workspace, ids, number, REJECTS):
            for kept in some:
                yield _reject_line(kept)
            number = some[-1].reject_id


def _reject_line(kept: Kept) -> dict[str, Any]:
    """Write what was refused, and why."""
    reject = to_contract(kept)
    line: dict[str, Any] = {
        "kind": "reject",
        "profile": reject.profile_id,
        "message_id": reject.message_id,
        "received_at": iso(kept.reject.received_at),
        "code": reject.code,
        "problem": reject.problem,
    }
    if reject.HasField("event"):
        return {**line, "event": json_format.MessageToDict(reject.event)}
    if reject.envelope_json:
        line["envelope"] = reject.envelope_json.decode("utf-8", "replace")
    return {**line, "payload": reject.payload.decode("utf-8", "replace")}


def _receipt(deletion: Sequence[Deletion]) -> privacy_pb2.Deletion:
    """Write the receipt of a deletion, by those of each of its ids."""
    first, count = deletion[0], len(deletion)
    erased = [
        Erased(counts={**one.erased, "events": one.records}, done_at=one.done_at)
        for one in deletion
    ]
    receipt = privacy_pb2.Deletion(
        deletion_id=first.deletion_id,
        profile_id=first.profile,
        position=first.position,
        parts=[part("ingest", erased, count)],
        id_count=count,
    )
    set_ms(receipt.delete_time, first.deleted_at)
    return receipt
