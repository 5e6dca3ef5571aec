"""The event log of ingest, over its contract."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import grpc
from hairspring.contracts.event.v1 import (
    event_log_service_pb2,
    event_log_service_pb2_grpc,
    event_pb2,
)
from hairspring.log.port import Barrier
from hairspring.wire.times import from_ms, ms_of, to_ms

TAIL_BATCH = 1_000
HISTORY_PROFILES = 500
BARRIER_SECONDS = 10.0
READ_SECONDS = 60.0

EventRecord = event_pb2.EventRecord


class EventLog:
    """Follows the log, draws barriers through it, and reads histories.

    Every method raises grpc.aio.AioRpcError when ingest does not answer.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = event_log_service_pb2_grpc.EventLogServiceStub(channel)

    async def tail(
        self, positions: Mapping[int, int]
    ) -> AsyncIterator[tuple[Sequence[EventRecord], int]]:
        """Gives records and how far the log was read with them, without end."""
        request = event_log_service_pb2.TailEventsRequest(
            shards=[
                event_log_service_pb2.ShardPosition(shard=shard, position=position)
                for shard, position in positions.items()
            ],
            max_batch_size=TAIL_BATCH,
        )
        async for response in self._stub.TailEvents(request):
            yield response.records, response.through_position

    async def barrier(self, through: int, *, most_ms: int | None = None) -> Barrier:
        """Draws a barrier behind `through` (milliseconds, UTC).

        With `most_ms`, the log's clock is waited for no longer than that, and the barrier may lie
        before `through`. Waits some seconds for an ingest that is just coming back.
        """
        request = event_log_service_pb2.ReachBarrierRequest(through_time=from_ms(through))
        if most_ms is not None:
            request.longest_wait.FromMilliseconds(most_ms)
        response = await self._stub.ReachBarrier(
            request,
            timeout=BARRIER_SECONDS,
            wait_for_ready=True,
        )
        return Barrier(position=response.position, through=to_ms(response.through_time))

    async def history(
        self, workspace: str, profiles: Sequence[str], through: int
    ) -> dict[str, list[EventRecord]]:
        """Reads the events of profiles up to a position, each in log order."""
        found = await self._list(workspace, profiles, through, with_import_ends=False)
        return {profile: _events(records) for profile, records in found.items()}

    async def lives(
        self, workspace: str, profiles: Sequence[str], through: int
    ) -> dict[str, list[EventRecord]]:
        """Reads all that is recorded of profiles up to a position, and where imports ended, each
        in log order.
        """
        return await self._list(workspace, profiles, through, with_import_ends=True)

    async def _list(
        self, workspace: str, profiles: Sequence[str], through: int, *, with_import_ends: bool
    ) -> dict[str, list[EventRecord]]:
        found: dict[str, list[EventRecord]] = {profile: [] for profile in profiles}
        for start in range(0, len(profiles), HISTORY_PROFILES):
            request = event_log_service_pb2.ListEventsRequest(
                workspace_id=workspace,
                profile_ids=profiles[start : start + HISTORY_PROFILES],
                through_position=through,
                with_import_ends=with_import_ends,
            )
            asked = list(request.profile_ids)
            while True:
                response = await self._stub.ListEvents(request, timeout=READ_SECONDS)
                for record in response.records:
                    for profile in [record.profile_id] if record.profile_id else asked:
                        found[profile].append(record)
                if not response.next_page_token:
                    break
                request.page_token = response.next_page_token
        return found

    async def life(self, workspace: str, profile: str, most: int) -> list[EventRecord]:
        """Reads all that is recorded of a profile, and where imports ended, in log order.

        Stops where there are more than `most` records.
        """
        found: list[EventRecord] = []
        request = event_log_service_pb2.ListEventsRequest(
            workspace_id=workspace, profile_ids=[profile], with_import_ends=True
        )
        while len(found) <= most:
            response = await self._stub.ListEvents(request, timeout=READ_SECONDS)
            for record in response.records:
                if record.WhichOneof("body") == "profile_deleted":
                    found = [one for one in found if one.WhichOneof("body") == "import_finished"]
                else:
                    found.append(record)
            if not response.next_page_token:
                break
            request.page_token = response.next_page_token
        return found

    async def report(self, subscriber: str, position: int) -> None:
        """Tells how far a subscriber has come for good."""
        await self._stub.ReportProgress(
            event_log_service_pb2.ReportProgressRequest(subscriber=subscriber, position=position),
            timeout=BARRIER_SECONDS,
        )

    async def kept_since(self) -> int | None:
        """Up to when (milliseconds, UTC) events were dropped; None where all are kept."""
        response = await self._stub.ListEvents(
            event_log_service_pb2.ListEventsRequest(with_kept_since=True), timeout=READ_SECONDS
        )
        return ms_of(response, "kept_since_time")

    async def resolve(
        self, workspace: str, profiles: Sequence[str]
    ) -> dict[str, event_log_service_pb2.ResolvedProfile]:
        """Tells which of these ids (at most 500) are part of other profiles now.

        Waits some seconds for an ingest that is just coming back.
        """
        response = await self._stub.ResolveProfiles(
            event_log_service_pb2.ResolveProfilesRequest(
                workspace_id=workspace, profile_ids=profiles
            ),
            timeout=BARRIER_SECONDS,
            wait_for_ready=True,
        )
        return {one.former_profile_id: one for one in response.profiles}

    async def get(self, workspace: str, positions: Collection[int]) -> dict[int, EventRecord]:
        """Reads single events by position; what is beyond the retention is missing."""
        response = await self._stub.GetEvents(
            event_log_service_pb2.GetEventsRequest(
                workspace_id=workspace, positions=sorted(positions)[-1000:]
            ),
            timeout=READ_SECONDS,
        )
        return {record.position: record for record in response.records}


def _events(records: Sequence[EventRecord]) -> list[EventRecord]:
    """The events of a history, but for those of before a deletion: they are being erased."""
    found: list[EventRecord] = []
    for record in records:
        body = record.WhichOneof("body")
        if body == "event":
            found.append(record)
        elif body == "profile_deleted":
            found.clear()
    return found
