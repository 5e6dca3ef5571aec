"""Sends events to ingest over HTTP, or single ones either way, and says as JSON how it went.

    python -m tests.benchmarks.ingest_load --http 127.0.0.1:7300 --events 200000
    python -m tests.benchmarks.ingest_load --grpc 127.0.0.1:7301 --rate 1000 --seconds 20

With `--events` it sends batches as fast as they are taken; with `--rate` single events, each at its
moment whether the ones before it are answered or not, and tells how long each took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from random import Random

import uvloop
from hairspring.contracts.event.v1 import event_pb2, event_service_pb2
from hairspring.runtime.client import open_channel

from tests.benchmarks.workload import kinds, profile_id
from tests.support.cluster import TOKEN

_TRACK = "/hairspring.event.v1.EventService/TrackEvent"
_DONE = b'{"success":true}'
_CONNECTIONS = 64


@dataclass(slots=True, kw_only=True)
class Sent:
    """What was sent and acknowledged, and what that took; `late` is in milliseconds, sorted."""

    events: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    late: list[float] = field(default_factory=list)


class Calls:
    """Makes calls of SDKs, which never were before."""

    def __init__(self, profiles: int, seed: int) -> None:
        self._random = Random(seed)
        self._seed, self._profiles, self._number = seed, profiles, 0
        self._kinds = [
            json.dumps({"event": name, "properties": properties}, separators=(",", ":"))[1:]
            for name, properties in kinds()
        ]

    def one(self) -> str:
        """A track call."""
        self._number += 1
        pick = self._random.random
        return (
            f'{{"type":"track","messageId":"{self._seed:08x}-{self._number:027d}",'
            f'"userId":"{profile_id(int(pick() * self._profiles))}",'
            '"context":{"library":{"name":"bench","version":"1"}},'
            f'"timestamp":"{_now()}",{self._kinds[int(pick() * len(self._kinds))]}'
        )

    def batch(self, size: int) -> bytes:
        """The body of a batch."""
        calls = ",".join([self.one() for _ in range(size)])
        return f'{{"batch":[{calls}],"sentAt":"{_now()}"}}'.encode()


class Connection:
    """One connection that is kept, and carries one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @staticmethod
    async def open(address: str) -> Connection:
        """Connect to host:port."""
        host, _, port = address.rpartition(":")
        return Connection(*await asyncio.open_connection(host, int(port)))

    async def post(self, path: str, body: bytes) -> None:
        """Send a body; anything but a whole success is a failure of the benchmark."""
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {TOKEN}\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head_read = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head_read.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        said = await self._reader.readexactly(length)
        if said != _DONE:
            raise AssertionError(f"it was not taken: {said[:300]!r}")

    def close(self) -> None:
        """End it."""
        self._writer.close()


async def batches(given: argparse.Namespace) -> Sent:
    """Send batches over some connections at once."""
    calls, sent = Calls(given.profiles, given.seed), Sent()

    async def send(connection: Connection) -> None:
        while sent.events < given.events:
            sent.events += given.batch
            await connection.post("/v1/batch", calls.batch(given.batch))
        connection.close()

    connections = [await Connection.open(given.http) for _ in range(given.calls)]
    began = time.perf_counter()
    await asyncio.gather(*map(send, connections))
    sent.seconds = time.perf_counter() - began
    return sent


async def singles(given: argparse.Namespace, send: Callable[[], Awaitable[None]]) -> Sent:
    """Send single events evenly, each at its moment."""
    sent, now = Sent(), time.perf_counter
    began = now()

    async def one(at: float) -> None:
        await send()
        sent.late.append((now() - at) * 1000)

    async with asyncio.TaskGroup() as tasks:
        for number in range(int(given.rate * given.seconds)):
            at = began + number / given.rate
            if (ahead := at - now()) > 0:
                await asyncio.sleep(ahead)
            tasks.create_task(one(at))
            sent.events += 1
    sent.seconds = now() - began
    sent.late.sort()
    return sent


async def singles_over_http(given: argparse.Namespace) -> Sent:
    """Send single calls, each on a connection that is free."""
    calls, free = Calls(given.profiles, given.seed), asyncio.LifoQueue[Connection]()
    for _ in range(_CONNECTIONS):
        free.put_nowait(await Connection.open(given.http))

    async def send() -> None:
        connection = await free.get()
        await connection.post("/v1/track", calls.one().encode())
        free.put_nowait(connection)

    return await singles(given, send)


async def singles_over_grpc(given: argparse.Namespace) -> Sent:
    """Send single events on one channel."""
    calls = Calls(given.profiles, given.seed)
    accepted = event_service_pb2.EVENT_STATUS_ACCEPTED
    async with open_channel(given.grpc, TOKEN) as channel:
        call = channel.unary_unary(_TRACK)

        async def send() -> None:
            read = json.loads(calls.one())
            event = event_pb2.Event(
                message_id=read["messageId"],
                profile_id=read["userId"],
                name=read["event"],
                properties_json=json.dumps(read["properties"]).encode(),
            )
            request = event_service_pb2.TrackEventRequest(event=event).SerializeToString()
            answer = event_service_pb2.TrackEventResponse.FromString(
                await call(request, timeout=60)
            )
            assert answer.result.status == accepted, answer

        return await singles(given, send)


def _now() -> str:
    now = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"


async def _run(given: argparse.Namespace) -> Sent:
    if given.events:
        return await batches(given)
    return await (singles_over_http(given) if given.http else singles_over_grpc(given))


def main(arguments: list[str]) -> None:
    """Send as the arguments say."""
    parser = argparse.ArgumentParser(description="Sends events to ingest.")
    parser.add_argument("--http", default="", help="host:port")
    parser.add_argument("--grpc", default="", help="host:port")
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--calls", type=int, default=4, help="connections at the same time")
    parser.add_argument("--rate", type=float, default=1_000.0, help="single events a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    sent = uvloop.run(_run(given))
    sent.cpu_seconds = time.process_time()
    print(json.dumps(asdict(sent)))


if __name__ == "__main__":
    main(sys.argv[1:])
