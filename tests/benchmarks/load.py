"""Sends events to ingest, as a process of its own, and says as a line of JSON how it went.

    python -m tests.benchmarks.load --address 127.0.0.1:7301 --profiles 100000 --events 200000

With `--events` it sends so many as fast as they are taken; with `--seconds` as many as are taken
in that time; `--rate` bounds how many a second. With `--lag` it never is further ahead of what
has been evaluated and committed, which it reads from the database that `--postgres` names.
With `--stream` each of the `--calls` is a stream that is written and read at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg
import uvloop
from hairspring.contracts.event.v1 import event_service_pb2
from hairspring.runtime.client import open_channel

from tests.benchmarks.workload import Requests
from tests.support.cluster import TOKEN

_METHOD = "/hairspring.event.v1.EventService/BatchTrackEvents"
_STREAM = "/hairspring.event.v1.EventService/StreamEvents"
_CALL_SECONDS = 60
_LOOK_SECONDS = 0.02
#: How far every replica has come with its shards.
EVALUATED = """
SELECT coalesce(min(reached), 0) FROM (
    SELECT max(position) AS reached FROM rule_evaluator.shards
    WHERE replica_id IS NOT NULL GROUP BY replica_id
) AS of_replicas
"""


@dataclass(slots=True, kw_only=True)
class Sent:
    """What was sent and acknowledged, from when (seconds since the epoch), and what that took.

    `position` is the last one that was answered.
    """

    events: int = 0
    began: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    position: int = 0


class Load:
    """Some senders that share what is to be sent."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._requests = Requests(profiles=given.profiles, batch=given.batch, seed=given.seed)
        self._started = 0
        self._room = asyncio.Event()
        self._room.set()
        self.sent = Sent()

    async def run(self) -> Sent:
        """Sends everything. Raises what a call raised."""
        given = self._given
        async with open_channel(given.address, TOKEN) as channel:
            if given.stream:
                call, send = channel.stream_stream(_STREAM), self._stream
            else:
                call, send = channel.unary_unary(_METHOD), self._send
            taken, began, self.sent.began = time.process_time(), time.perf_counter(), time.time()
            looking = asyncio.create_task(self._look()) if given.lag else None
            async with asyncio.TaskGroup() as tasks:
                for _ in range(given.calls):
                    tasks.create_task(send(call, began))
            self.sent.seconds = time.perf_counter() - began
            self.sent.cpu_seconds = time.process_time() - taken
            if looking is not None:
                looking.cancel()
        return self.sent

    async def _send(self, call: Any, began: float) -> None:
        async for request in self._due(began):
            self._count(await call(request, timeout=_CALL_SECONDS))

    async def _stream(self, call: Any, began: float) -> None:
        async for answer in call(self._due(began)):
            self._count(answer)

    async def _due(self, began: float) -> AsyncIterator[bytes]:
        """Gives requests, each when it is due, until all are given."""
        given = self._given
        while True:
            await self._room.wait()
            ahead = 0.0
            if given.rate:
                ahead = began + self._started / given.rate - time.perf_counter()
            if self._over(began, ahead):
                return
            self._started += given.batch
            request = self._requests.make()
            if ahead > 0:
                await asyncio.sleep(ahead)
            yield request

    def _over(self, began: float, ahead: float) -> bool:
        given = self._given
        if given.seconds:
            return time.perf_counter() + max(ahead, 0.0) - began >= float(given.seconds)
        return self._started >= int(given.events)

    def _count(self, answer: bytes) -> None:
        """Counts what was acknowledged; anything else is a failure of the benchmark.

        The answer of a stream to one request is that of a batch.
        """
        results = event_service_pb2.BatchTrackEventsResponse.FromString(answer).results
        accepted = event_service_pb2.EVENT_STATUS_ACCEPTED
        if refused := [result for result in results if result.status != accepted]:
            raise AssertionError(f"an event was not accepted: {refused[0]}")
        self.sent.events += len(results)
        self.sent.position = max(self.sent.position, results[-1].position)

    async def _look(self) -> None:
        """Holds the senders up while they are too far ahead."""
        connection = await asyncpg.connect(self._given.postgres)
        try:
            while True:
                reached = await connection.fetchval(EVALUATED)
                if self.sent.position - reached < self._given.lag:
                    self._room.set()
                else:
                    self._room.clear()
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await connection.close()


def main(arguments: list[str]) -> None:
    """Send as the arguments say."""
    parser = argparse.ArgumentParser(description="Sends events to ingest.")
    parser.add_argument("--address", required=True)
    parser.add_argument("--postgres", default="")
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=0.0, help="events a second")
    parser.add_argument("--lag", type=int, default=0, help="events")
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--calls", type=int, default=4, help="at the same time")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    print(json.dumps(asdict(uvloop.run(_run(parser.parse_args(arguments))))))


async def _run(given: argparse.Namespace) -> Sent:
    return await Load(given).run()


if __name__ == "__main__":
    main(sys.argv[1:])
