"""Answers the calls of EventLogService over the log."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

from hairspring.contracts.event.v1 import event_log_service_pb2 as contract
from hairspring.contracts.event.v1 import event_log_service_pb2_grpc, event_pb2
from hairspring.log.port import ERASED, FURTHEST_BARRIER_MS, Batch, Log, Record
from hairspring.log.shards import shard_of
from hairspring.runtime.errors import Exhausted, InvalidInput
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.ingest.history import History
from hairspring.services.ingest.judging import check_id
from hairspring.services.ingest.keeping import Keeping
from hairspring.wire.events import read_record
from hairspring.wire.times import from_ms, set_ms, to_ms

MAX_BATCH = 5_000
DEFAULT_BATCH = 500
MAX_PROFILES = 500
MAX_PAGE = 50_000
DEFAULT_PAGE = 10_000
MAX_POSITIONS = 1_000
MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""The most that one message of an answer holds, about; the limit of the transport is twice that."""


class EventLogHandlers(event_log_service_pb2_grpc.EventLogServiceServicer):
    """The calls by which other services read the log."""

    def __init__(self, log: Log, keeping: Keeping, *, shards: int, horizon: int) -> None:
        self._log = log
        self._keeping = keeping
        self._shards = shards
        self._horizon = horizon
        self._history = History(log, max_bytes=MAX_ANSWER_BYTES, horizon=horizon)

    async def TailEvents(
        self, request: contract.TailEventsRequest, context: Any
    ) -> AsyncIterator[contract.TailEventsResponse]:
        """Follow the log."""
        size = _within(request.max_batch_size, DEFAULT_BATCH, MAX_BATCH, "max_batch_size")
        after = _position(request.after_position, "after_position")
        batches = self._log.tail(
            self._positions(request), after, max_batch=size, stop_at_head=request.stop_at_head
        )
        async for batch in batches:
            if request.workspace_id:
                batch = of_workspace(batch, request.workspace_id)
            for part in parts(batch, self._horizon):
                yield part

    async def ListEvents(
        self, request: contract.ListEventsRequest, context: Any
    ) -> contract.ListEventsResponse:
        """List the history of profiles, page by page."""
        workspace = workspace_of(request.workspace_id)
        profiles = list(dict.fromkeys(request.profile_ids))
        if len(profiles) > MAX_PROFILES:
            raise InvalidInput(
                f"{len(profiles)} profiles; at most {MAX_PROFILES} in one call", field="profile_ids"
            )
        for profile in profiles:
            check_id("profile_ids", profile)
        shards = [shard_of(workspace, profile, self._shards) for profile in profiles]
        after = _position(request.after_position, "after_position")
        begun, head = read_token(request.page_token)
        through = _position(request.through_position, "through_position") or head
        if not through:
            through = await self._log.head()
        owners = await self._history.owners(workspace, profiles, shards, through)
        if request.with_import_ends:
            owners = {**owners, **{(shard, ""): [(shard, "")] for shard, _ in owners}}
        page = await self._history.page(
            workspace,
            owners,
            after=max(after, begun),
            through=through,
            names=frozenset(request.names),
            limit=_within(request.page_size, DEFAULT_PAGE, MAX_PAGE, "page_size"),
        )
        token = write_token(page.more_after, through) if page.more_after else ""
        answer = contract.ListEventsResponse(records=page.records, next_page_token=token)
        if request.with_kept_since and (since := await self._keeping.kept_since()) is not None:
            set_ms(answer.kept_since_time, since)
        return answer

    async def ResolveProfiles(
        self, request: contract.ResolveProfilesRequest, context: Any
    ) -> contract.ResolveProfilesResponse:
        """Tell of ids that became part of other profiles."""
        workspace = workspace_of(request.workspace_id)
        ids = list(dict.fromkeys(request.profile_ids))
        if len(ids) > MAX_PROFILES:
            raise InvalidInput(
                f"{len(ids)} ids; at most {MAX_PROFILES} in one call", field="profile_ids"
            )
        shards = [shard_of(workspace, name, self._shards) for name in ids]
        answer = contract.ResolveProfilesResponse()
        for name, linked in (await self._log.resolve(workspace, ids, shards)).items():
            one = answer.profiles.add(former_profile_id=name, profile_id=linked.profile)
            set_ms(one.merge_time, linked.accepted_at)
        return answer

    async def GetEvents(
        self, request: contract.GetEventsRequest, context: Any
    ) -> contract.GetEventsResponse:
        """Read single records."""
        workspace = workspace_of(request.workspace_id)
        positions = sorted(set(request.positions))
        if len(positions) > MAX_POSITIONS:
            raise InvalidInput(
                f"{len(positions)} positions; at most {MAX_POSITIONS} in one call",
                field="positions",
            )
        answer = contract.GetEventsResponse()
        size = 0
        for begin in range(0, len(positions), 100):
            for record in await self._log.get(positions[begin : begin + 100]):
                if record.workspace == workspace and record.profile != ERASED:
                    answer.records.append(to_event_record(record, self._horizon))
                    size += size_of(record)
            if size > MAX_ANSWER_BYTES:
                raise Exhausted("these events are too large for one answer; ask for fewer")
        return answer

    async def ReachBarrier(
        self, request: contract.ReachBarrierRequest, context: Any
    ) -> contract.ReachBarrierResponse:
        """Draw a line through the log."""
        asked = to_ms(request.through_time) if request.HasField("through_time") else 0
        most = request.longest_wait.ToMilliseconds() if request.HasField("longest_wait") else None
        if most is not None and not 0 <= most <= FURTHEST_BARRIER_MS:
            raise InvalidInput(
                f"longest_wait is {most} ms; ask for 0 to {FURTHEST_BARRIER_MS} ms",
                field="longest_wait",
            )
        barrier = await self._log.barrier(asked, most_ms=most)
        return contract.ReachBarrierResponse(
            position=barrier.position, through_time=from_ms(barrier.through)
        )

    async def ReportProgress(
        self, request: contract.ReportProgressRequest, context: Any
    ) -> contract.ReportProgressResponse:
        """Note how far a subscriber has come."""
        check_id("subscriber", request.subscriber)
        position = _position(request.position, "position")
        if position > (head := await self._log.head()):
            raise InvalidInput(
                f"position {position} lies beyond the head, {head}", field="position"
            )
        await self._keeping.report(request.subscriber, position)
        return contract.ReportProgressResponse()

    def _positions(self, request: contract.TailEventsRequest) -> dict[int, int] | None:
        """Answer the shards to follow and from where, or None for all of them."""
        positions: dict[int, int] = {}
        for asked in request.shards:
            if not 0 <= asked.shard < self._shards:
                raise InvalidInput(
                    f"there is no shard {asked.shard}; they go from 0 to {self._shards - 1}",
                    field="shards",
                )
            if asked.shard in positions:
                raise InvalidInput(f"shard {asked.shard} is asked for twice", field="shards")
            positions[asked.shard] = _position(asked.position, "shards.position")
        return positions or None


def to_event_record(
    record: Record, horizon: int | None = None, into: event_pb2.EventRecord | None = None
) -> event_pb2.EventRecord:
    """Translate a record of the log, with the time of its event bounded by its acceptance.

    One that came from beyond the `horizon` (milliseconds) is marked. It is written `into` an empty
    record, where one is given.
    """
    return read_record(
        record.payload,
        position=record.position,
        shard=record.shard,
        workspace=record.workspace,
        profile=record.profile,
        accepted_at=record.accepted_at,
        horizon=horizon,
        into=into,
    )


def size_of(record: Record) -> int:
    """Answer about how many bytes a record takes in an answer."""
    return len(record.payload) + len(record.profile) + 60


def of_workspace(batch: Batch, workspace: str) -> Batch:
    """Answer the records of a batch that are of one workspace."""
    return replace(batch, records=[one for one in batch.records if one.workspace == workspace])


def parts(batch: Batch, horizon: int | None = None) -> Iterator[contract.TailEventsResponse]:
    """Translate a batch to one answer, or to several where it would be too large for one."""
    answer = contract.TailEventsResponse()
    size = 0
    for record in batch.records:
        if record.profile == ERASED:
            continue
        if size and size + size_of(record) > MAX_ANSWER_BYTES:
            # Positions rise, so all asked shards are told up to the record before this one.
            answer.through_position = answer.records[-1].position
            yield answer
            answer, size = contract.TailEventsResponse(), 0
        to_event_record(record, horizon, answer.records.add())
        size += size_of(record)
    answer.through_position = batch.through
    yield answer


def write_token(position: int, through: int) -> str:
    """Write the token of the page after a position, of a history up to another."""
    return f"after-{position}-{through}"


def read_token(token: str) -> tuple[int, int]:
    """Answer the position a page begins after, and that of the history's end; 0 for none.

    Raises InvalidInput.
    """
    if not token:
        return 0, 0
    prefix, *numbers = token.split("-")
    fine = all(number.isdecimal() and len(number) <= 18 for number in numbers)
    if prefix != "after" or len(numbers) != 2 or not fine:
        raise InvalidInput("the page token is none that was given out", field="page_token")
    return int(numbers[0]), int(numbers[1])


def _position(said: int, field: str) -> int:
    if said < 0:
        raise InvalidInput(f"{field} is {said}; positions are 0 or more", field=field)
    return said


def _within(said: int, default: int, most: int, field: str) -> int:
    if said == 0:
        return default
    if not 1 <= said <= most:
        raise InvalidInput(f"{field} is {said}; it can be 1 to {most}", field=field)
    return said
