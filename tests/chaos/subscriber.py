"""Somebody who follows the evaluator's log all along, over whatever replica answers."""

from __future__ import annotations

import asyncio

import grpc
from hairspring.contracts.transition.v1 import (
    transition_pb2,
    transition_service_pb2,
    transition_service_pb2_grpc,
)

_PAUSE_SECONDS = 0.1


class Subscriber:
    """Reads every record once: after a break it goes on from the position that it had read."""

    def __init__(self, stub: transition_service_pb2_grpc.TransitionServiceStub) -> None:
        self.records: list[transition_pb2.Record] = []
        self.read_through = 0
        self.breaks = 0  #: How often the stream broke off.
        self._stub = stub

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            request = transition_service_pb2.TailRecordsRequest(after_position=self.read_through)
            try:
                async for answer in self._stub.TailRecords(request):
                    self.records.extend(answer.records)
                    self.read_through = answer.through_position
            except grpc.aio.AioRpcError:
                self.breaks += 1
            await asyncio.sleep(_PAUSE_SECONDS)
