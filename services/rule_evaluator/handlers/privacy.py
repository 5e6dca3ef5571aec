"""PrivacyService: what the evaluator keeps of a profile, and before it what ingest does."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
import orjson
from hairspring.contracts.privacy.v1 import privacy_service_pb2
from hairspring.contracts.privacy.v1.privacy_service_pb2_grpc import (
    PrivacyServiceServicer,
    PrivacyServiceStub,
)
from hairspring.contracts.profile.v1 import profile_service_pb2
from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.log.deletions import Deletion, Deletions
from hairspring.log.port import Log
from hairspring.log.shards import shard_of
from hairspring.runtime.client import passed_on
from hairspring.runtime.errors import InvalidInput, NotFound
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.rule_evaluator.recorded import all_recorded
from hairspring.store.port import Key, SegmentStore
from hairspring.store.quarantine import SetAside
from hairspring.wire import deletions as receipts
from hairspring.wire import record_lines
from hairspring.wire.json_lines import pieces
from hairspring.wire.times import iso, ms_of

CALL_SECONDS = 30.0

GetProfile = Callable[
    [profile_service_pb2.GetProfileRequest, grpc.aio.ServicerContext],
    Awaitable[profile_service_pb2.GetProfileResponse],
]
"""Reads a profile behind a barrier, whoever owns its shard."""


class PrivacyHandlers(PrivacyServiceServicer):
    """Serves hairspring.privacy.v1.PrivacyService."""

    def __init__(
        self,
        ingest: grpc.aio.Channel,
        get_profile: GetProfile,
        store: SegmentStore,
        log: Log,
        deletions: Deletions,
        shard_count: int,
    ) -> None:
        self._ingest = PrivacyServiceStub(ingest)
        self._get_profile = get_profile
        self._store = store
        self._log = log
        self._deletions = deletions
        self._shard_count = shard_count

    async def DeleteProfile(
        self,
        request: privacy_service_pb2.DeleteProfileRequest,
        context: grpc.aio.ServicerContext,
    ) -> privacy_service_pb2.DeleteProfileResponse:
        """Has ingest delete a profile."""
        with passed_on():
            answer: privacy_service_pb2.DeleteProfileResponse = await self._ingest.DeleteProfile(
                request, timeout=CALL_SECONDS, wait_for_ready=True
            )
        return answer

    async def GetDeletion(
        self,
        request: privacy_service_pb2.GetDeletionRequest,
        context: grpc.aio.ServicerContext,
    ) -> privacy_service_pb2.GetDeletionResponse:
        """Tells how far a deletion is at ingest, and here."""
        with passed_on():
            told: privacy_service_pb2.GetDeletionResponse = await self._ingest.GetDeletion(
                request, timeout=CALL_SECONDS, wait_for_ready=True
            )
        workspace = workspace_of(request.workspace_id)
        count = told.deletion.id_count
        names = receipts.names(request.deletion_id, count)
        found = await self._deletions.all_of(workspace, names)
        told.deletion.parts.append(receipts.part("rule-evaluator", _erased(found), count))
        return told

    async def ExportProfile(
        self,
        request: privacy_service_pb2.ExportProfileRequest,
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[privacy_service_pb2.ExportProfileResponse]:
        """Writes the events, then traits, tags and memberships, then all that was decided."""
        workspace, profile = workspace_of(request.workspace_id), request.profile_id
        if not profile:
            raise InvalidInput("profile_id is empty; say whose data is meant")
        key = Key(shard_of(workspace, profile, self._shard_count), workspace, profile)
        with passed_on():
            async for part in self._ingest.ExportProfile(request):
                yield part
        async for piece in pieces(self._lines(key, context)):
            yield privacy_service_pb2.ExportProfileResponse(lines=piece)

    async def _lines(
        self, key: Key, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[dict[str, Any]]:
        if (standing := await self._profile(key, context)) is not None:
            yield standing
        for segment, entered_at in sorted((await self._store.standing(key)).items()):
            yield {
                "kind": "membership",
                "profile": key.profile,
                "segment": segment,
                "entered_at": iso(entered_at),
            }
        for one in await self._store.quarantine(key.workspace, key.profile, ("", -1, ""), 1_000):
            yield _set_aside(one)
        async for record in self._records(key):
            if (line := record_lines.line(record)) is not None:
                yield line

    async def _profile(self, key: Key, context: grpc.aio.ServicerContext) -> dict[str, Any] | None:
        """What is known of her now, behind a barrier; None where nothing is."""
        asked = profile_service_pb2.GetProfileRequest(
            workspace_id=key.workspace, profile_id=key.profile
        )
        try:
            found = (await self._get_profile(asked, context)).profile
        except NotFound:
            return None
        traits = orjson.loads(found.traits_json)
        moments = {"clock": ms_of(found, "clock_time"), "due_at": ms_of(found, "due_time")}
        return {
            "kind": "profile",
            "profile": found.profile_id,
            "tags": traits.pop("tags", []),
            "traits": traits,
            **{name: iso(at) for name, at in moments.items() if at is not None},
        }

    async def _records(self, key: Key) -> AsyncIterator[transition_pb2.Record]:
        """Reads her records, then those of the ids that became part of her, as these tell."""
        profiles = [key.profile]
        for profile in profiles:
            one = Key(shard_of(key.workspace, profile, self._shard_count), key.workspace, profile)
            async for record in all_recorded(self._log, one):
                former = record.merged.former_profile_id
                if former and former not in profiles:
                    profiles.append(former)
                yield record


def _erased(found: Sequence[Deletion]) -> list[receipts.Erased]:
    return [
        receipts.Erased(counts={**one.erased, "records": one.records}, done_at=one.done_at)
        for one in found
    ]


def _set_aside(one: SetAside) -> dict[str, Any]:
    return {
        "kind": "quarantine",
        "profile": one.key.profile,
        "what": one.what.value,
        "position": one.position,
        "message_id": one.message_id,
        "event": one.event_name,
        "error": one.error_type,
        "message": one.error_message,
        "failed_at": iso(one.failed_at),
    }
