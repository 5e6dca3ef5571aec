"""ShardService: who owns which shards, and how far they are."""

import grpc
from hairspring.contracts.shard.v1 import shard_service_pb2
from hairspring.contracts.shard.v1.shard_service_pb2_grpc import ShardServiceServicer
from hairspring.ownership.reading import ShardReader
from hairspring.runtime.clock import Clock
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.store.port import SegmentStore
from hairspring.wire.times import set_ms


class ShardHandlers(ShardServiceServicer):
    """Serves hairspring.shard.v1.ShardService, from what is committed."""

    def __init__(
        self, shards: ShardReader, store: SegmentStore, events: EventLog, clock: Clock
    ) -> None:
        self._shards = shards
        self._store = store
        self._events = events
        self._clock = clock
        self._log = get_logger()

    async def ListShards(
        self,
        request: shard_service_pb2.ListShardsRequest,
        context: grpc.aio.ServicerContext,
    ) -> shard_service_pb2.ListShardsResponse:
        """Lists all shards, and where the event log ends."""
        standing = await self._shards.all()
        due = await self._store.next_due([one.shard for one in standing])
        response = shard_service_pb2.ListShardsResponse()
        for one in standing:
            shard = response.shards.add(
                shard=one.shard,
                replica_id=one.replica_id,
                address=one.address,
                epoch=one.epoch,
                position=one.position,
                plan_version=one.plan_version,
            )
            if one.shard in due:
                set_ms(shard.due_time, due[one.shard])
        if (head := await self._head()) is not None:
            response.head_position = head
        return response

    async def _head(self) -> int | None:
        try:
            return (await self._events.barrier(self._clock())).position
        except grpc.aio.AioRpcError as error:
            self._log.warning("head_not_known", code=error.code().name)
            return None
