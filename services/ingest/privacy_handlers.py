"""Answers the calls of PrivacyService for what ingest keeps of a profile: its recorded events."""

from collections.abc import AsyncIterator
from typing import Any

from hairspring.contracts.privacy.v1 import privacy_service_pb2 as contract
from hairspring.contracts.privacy.v1 import privacy_service_pb2_grpc
from hairspring.log.shards import shard_of
from hairspring.services.ingest.history import History
from hairspring.services.ingest.judging import check_id
from hairspring.services.ingest.workspaces import workspace_of
from hairspring.wire import event_lines
from hairspring.wire.json_lines import pieces

PAGE = 1_000


class PrivacyHandlers(privacy_service_pb2_grpc.PrivacyServiceServicer):
    """Hands out what is recorded of a profile."""

    def __init__(self, history: History, *, shards: int) -> None:
        self._history = history
        self._shards = shards

    async def ExportProfile(
        self, request: contract.ExportProfileRequest, context: Any
    ) -> AsyncIterator[contract.ExportProfileResponse]:
        """Write the recorded events, in the order of the log."""
        workspace = workspace_of(request.workspace_id)
        check_id("profile_id", request.profile_id)
        async for piece in pieces(self._lines(workspace, request.profile_id)):
            yield contract.ExportProfileResponse(lines=piece)

    async def _lines(self, workspace: str, profile: str) -> AsyncIterator[dict[str, Any]]:
        after = 0
        while True:
            page = await self._history.page(
                workspace,
                [profile],
                [shard_of(workspace, profile, self._shards)],
                after=after,
                through=None,
                names=frozenset(),
                limit=PAGE,
            )
            for record in page.records:
                if (line := event_lines.line(record)) is not None:
                    yield {"kind": "event", **line}
            if not page.more_after:
                return
            after = page.more_after
