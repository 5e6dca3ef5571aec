"""PrivacyService: runs and messages of a profile, and before them what the evaluator tells."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import grpc
from hairspring.contracts.privacy.v1 import privacy_service_pb2, privacy_service_pb2_grpc
from hairspring.log.shards import shard_of
from hairspring.runtime.client import passed_on
from hairspring.runtime.errors import InvalidInput
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.delivery.adapters.listing import Listing
from hairspring.services.delivery.messages import Message
from hairspring.services.delivery.runs import Run
from hairspring.services.delivery.store import DeliveryStore, Place
from hairspring.wire import deletions
from hairspring.wire.json_lines import pieces
from hairspring.wire.times import iso

PAGE = 1_000
CALL_SECONDS = 30.0

Of = TypeVar("Of")
ReadPage: TypeAlias = Callable[[str, dict[str, Any], int, str], Awaitable[tuple[list[Of], str]]]
"""Reads a page of runs or messages, as a Listing does."""


class PrivacyHandlers(privacy_service_pb2_grpc.PrivacyServiceServicer):
    """Deletes profiles, and hands out what is known of them, together with the evaluator."""

    def __init__(
        self,
        listing: Listing,
        store: DeliveryStore,
        evaluator: grpc.aio.Channel,
        shard_count: int,
    ) -> None:
        self._listing = listing
        self._store = store
        self._evaluator = privacy_service_pb2_grpc.PrivacyServiceStub(evaluator)
        self._shard_count = shard_count

    async def DeleteProfile(
        self,
        request: privacy_service_pb2.DeleteProfileRequest,
        context: grpc.aio.ServicerContext,
    ) -> privacy_service_pb2.DeleteProfileResponse:
        """Pass it on: a deletion begins at ingest."""
        with passed_on():
            answer: privacy_service_pb2.DeleteProfileResponse = await self._evaluator.DeleteProfile(
                request, timeout=CALL_SECONDS, wait_for_ready=True
            )
        return answer

    async def GetDeletion(
        self,
        request: privacy_service_pb2.GetDeletionRequest,
        context: grpc.aio.ServicerContext,
    ) -> privacy_service_pb2.GetDeletionResponse:
        """Tell how far a deletion is before us, and here."""
        with passed_on():
            told: privacy_service_pb2.GetDeletionResponse = await self._evaluator.GetDeletion(
                request, timeout=CALL_SECONDS, wait_for_ready=True
            )
        workspace = workspace_of(request.workspace_id)
        count = told.deletion.id_count
        names = deletions.names(request.deletion_id, count)
        erased = [
            deletions.Erased(counts=noted.erased, done_at=noted.done_at)
            for noted in await self._store.departed(workspace, names)
        ]
        told.deletion.parts.append(deletions.part("delivery", erased, count))
        return told

    async def ExportProfile(
        self,
        request: privacy_service_pb2.ExportProfileRequest,
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[privacy_service_pb2.ExportProfileResponse]:
        """Write what the evaluator and ingest tell, then runs and messages, the latest first.

        Those of her former ids as well, which stay where they are: each id's own, one by one.
        """
        workspace = workspace_of(request.workspace_id)
        if not request.profile_id:
            raise InvalidInput("profile_id is empty; say whose data is meant", field="profile_id")
        with passed_on():
            async for part in self._evaluator.ExportProfile(request):
                yield part
        async for piece in pieces(self._lines(workspace, request.profile_id)):
            yield privacy_service_pb2.ExportProfileResponse(lines=piece)

    async def _lines(self, workspace: str, profile: str) -> AsyncIterator[dict[str, Any]]:
        place = (shard_of(workspace, profile, self._shard_count), workspace, profile)
        places = await self._store.lineage(place)
        async for run in _all(self._listing.runs, places):
            yield _run(run)
        async for message in _all(self._listing.messages, places):
            yield _message(message)


async def _all(read: ReadPage[Of], places: Sequence[Place]) -> AsyncIterator[Of]:
    for shard, workspace, profile in places:
        only, token = {"shard": shard, "profile": profile}, ""
        while True:
            page, token = await read(workspace, only, PAGE, token)
            for one in page:
                yield one
            if not token:
                break


def _run(run: Run) -> dict[str, Any]:
    return {
        "kind": "run",
        "run_id": run.run_id,
        "profile": run.profile,
        "flow": run.flow,
        "segment": run.segment,
        "status": run.status.name.lower(),
        "step": run.step,
        "reason": run.reason,
        "plan_version": run.plan_version,
        "entry_position": run.entry_position,
        "entered_at": iso(run.entered_at),
        "started_at": iso(run.started_at),
        "ended_at": _iso(run.ended_at),
        "due_at": _iso(run.due_at),
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "kind": "message",
        "message_id": message.message_id,
        "profile": message.profile,
        "run_id": message.run_id,
        "step": message.step,
        "flow": message.flow,
        "template": message.template,
        "channel": message.channel,
        "recipient": message.recipient,
        "subject": message.subject,
        "status": message.status.name.lower(),
        "reason": message.reason,
        "attempts": message.attempts,
        "due_at": iso(message.due_at),
        "sent_at": _iso(message.sent_at),
    }


def _iso(at: int | None) -> str | None:
    return None if at is None else iso(at)
