"""QuarantineService: what is set aside, and how it is tried again."""

import asyncio
import time
from collections.abc import Collection

import grpc
import orjson
from hairspring.contracts.quarantine.v1 import quarantine_pb2, quarantine_service_pb2
from hairspring.contracts.quarantine.v1.quarantine_service_pb2_grpc import (
    QuarantineServiceServicer,
)
from hairspring.runtime.errors import InvalidInput
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.rule_evaluator.handlers.pages import (
    make_token,
    page_size,
    read_token,
)
from hairspring.store.port import SegmentStore
from hairspring.store.quarantine import Retry, SetAside, What
from hairspring.wire.times import set_ms

MOST_PROFILES = 1_000
PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.1

KINDS = {
    What.EVENT: quarantine_pb2.QUARANTINE_KIND_EVENT,
    What.ALARM: quarantine_pb2.QUARANTINE_KIND_ALARM,
    What.STATE: quarantine_pb2.QUARANTINE_KIND_STATE,
    What.REBUILD: quarantine_pb2.QUARANTINE_KIND_REBUILD,
    What.FILL: quarantine_pb2.QUARANTINE_KIND_FILL,
    What.ACTIVATION: quarantine_pb2.QUARANTINE_KIND_ACTIVATION,
}
FIRST = ("", -1, "")

Outcome = quarantine_service_pb2.RetryOutcome


class QuarantineHandlers(QuarantineServiceServicer):
    """Serves QuarantineService; any replica does, and the owners of the shards carry it out."""

    def __init__(self, store: SegmentStore) -> None:
        self._store = store

    async def ListQuarantineEntries(
        self,
        request: quarantine_service_pb2.ListQuarantineEntriesRequest,
        context: grpc.aio.ServicerContext,
    ) -> quarantine_service_pb2.ListQuarantineEntriesResponse:
        """Lists what is set aside, by profile."""
        size = page_size(request.page_size)
        after = _after(request.page_token)
        profile = request.profile_id or None
        found = await self._store.quarantine(
            workspace_of(request.workspace_id), profile, after, size
        )
        return quarantine_service_pb2.ListQuarantineEntriesResponse(
            entries=[_entry(one, traced=profile is not None) for one in found],
            next_page_token=_token(found[-1]) if len(found) == size else "",
        )

    async def RetryProfiles(
        self,
        request: quarantine_service_pb2.RetryProfilesRequest,
        context: grpc.aio.ServicerContext,
    ) -> quarantine_service_pb2.RetryProfilesResponse:
        """Has profiles folded anew, and waits for it a while."""
        profiles = list(dict.fromkeys(request.profile_ids))
        if len(profiles) > MOST_PROFILES:
            raise InvalidInput(
                f"{len(profiles)} profiles; at most {MOST_PROFILES} can be named at once, or all"
            )
        if bool(profiles) == request.all_profiles:
            raise InvalidInput("say profile_ids, or all_profiles: one of the two")
        workspace = workspace_of(request.workspace_id)
        asked = await self._store.want_retry(
            workspace,
            None if request.all_profiles else profiles,
            with_flows=request.with_flows,
        )
        outcomes = await self._outcomes(workspace, asked)
        return quarantine_service_pb2.RetryProfilesResponse(outcomes=outcomes)

    async def _outcomes(self, workspace: str, asked: Collection[Retry]) -> list[Outcome]:
        end = time.monotonic() + PATIENCE_SECONDS
        waiting = {one.key.profile: one for one in asked}
        done: dict[str, Outcome] = {}
        while waiting and time.monotonic() < end:
            left = await self._left(workspace, waiting)
            for profile, before in list(waiting.items()):
                entry = left.get(profile)
                if entry is None:
                    status, error = quarantine_service_pb2.RETRY_STATUS_RELEASED, ""
                elif entry.retries > before.retries:
                    status = quarantine_service_pb2.RETRY_STATUS_FAILED
                    error = entry.retry_error
                else:
                    continue
                done[profile] = Outcome(profile_id=profile, status=status, error=error)
                del waiting[profile]
            if waiting:
                await asyncio.sleep(LOOK_SECONDS)
        for profile in waiting:
            status = quarantine_service_pb2.RETRY_STATUS_WAITING
            done[profile] = Outcome(profile_id=profile, status=status)
        return [done[profile] for profile in sorted(done)]

    async def _left(self, workspace: str, waiting: Collection[str]) -> dict[str, SetAside]:
        """The entry of each profile that was tried most often."""
        only = next(iter(waiting)) if len(waiting) == 1 else None
        found: dict[str, SetAside] = {}
        after = FIRST
        while page := await self._store.quarantine(workspace, only, after, 1_000):
            for one in page:
                known = found.get(one.key.profile)
                if known is None or one.retries > known.retries:
                    found[one.key.profile] = one
            after = (page[-1].key.profile, page[-1].position, page[-1].what.value)
        return found


def _entry(one: SetAside, *, traced: bool) -> quarantine_pb2.QuarantineEntry:
    entry = quarantine_pb2.QuarantineEntry(
        profile_id=one.key.profile,
        shard=one.key.shard,
        position=one.position,
        kind=KINDS[one.what],
        holds_profile=one.holds,
        message_id=one.message_id,
        event_name=one.event_name,
        plan_version=one.plan_version,
        error_type=one.error_type,
        error_message=one.error_message,
        traceback=one.traceback if traced else "",
        tries=one.tries,
        retries=one.retries,
        retry_error=one.retry_error,
    )
    set_ms(entry.fail_time, one.failed_at)
    if one.retried_at is not None:
        set_ms(entry.retry_time, one.retried_at)
    if one.retry_at is not None:
        set_ms(entry.next_retry_time, one.retry_at)
    return entry


def _token(one: SetAside) -> str:
    return make_token(orjson.dumps([one.key.profile, one.position, one.what.value]).decode())


def _after(token: str) -> tuple[str, int, str]:
    """What a page token says. Raises InvalidInput for one that was not made here."""
    if not token:
        return FIRST
    try:
        profile, position, what = orjson.loads(read_token(token))
        return str(profile), int(position), str(what)
    except (ValueError, TypeError) as error:
        raise InvalidInput("page_token is none that was answered before") from error
