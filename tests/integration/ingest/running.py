"""Runs ingest for tests: inside this process, or as a process that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from hairspring.contracts.event.v1 import event_log_service_pb2 as log_contract
from hairspring.contracts.event.v1 import (
    event_log_service_pb2_grpc,
    event_pb2,
    event_service_pb2_grpc,
)
from hairspring.contracts.event.v1 import event_service_pb2 as contract
from hairspring.runtime.client import open_channel
from hairspring.runtime.server import serve
from hairspring.services.ingest.app import ERRORS, build
from hairspring.services.ingest.collecting.serving import serve_http
from hairspring.services.ingest.config import IngestSettings

from tests.support.waiting import eventually


class Ingest:
    """Stubs on a running ingest, and the calls that tests make most."""

    def __init__(self, channel: grpc.aio.Channel, address: str, http: str = "") -> None:
        self.channel = channel
        self.address = address
        self.http = f"http://{http}"
        self.events = event_service_pb2_grpc.EventServiceStub(channel)
        self.log = event_log_service_pb2_grpc.EventLogServiceStub(channel)

    async def track(self, *events: event_pb2.Event) -> list[contract.EventResult]:
        """Record events by one batch, and answer their results."""
        request = contract.BatchTrackEventsRequest(events=events)
        return list((await self.events.BatchTrackEvents(request, timeout=20)).results)

    async def read(self, after: int = 0) -> list[event_pb2.EventRecord]:
        """Answer everything in the log after a position."""
        request = log_contract.TailEventsRequest(after_position=after, stop_at_head=True)
        return [
            record
            async for answer in self.log.TailEvents(request, timeout=20)
            for record in answer.records
        ]


def event(profile: str = "anna", name: str = "Product Viewed", **fields: object) -> event_pb2.Event:
    """Make an event with something in every field that is needed."""
    return event_pb2.Event(profile_id=profile, name=name, **fields)


@asynccontextmanager
async def ingest(database_url: str, **settings: object) -> AsyncIterator[Ingest]:
    """Run ingest inside this process, on free ports, for gRPC and for HTTP."""
    told = IngestSettings(
        postgres_url=database_url,
        ingest_listen="127.0.0.1:0",
        ingest_http="127.0.0.1:0",
        drain_seconds=2,
        **{"auth": "off", **settings},
    )
    async with (
        build(told) as app,
        serve_http(told.ingest_http, app.collector.app, drain_seconds=2) as http,
        serve(
            "ingest",
            told.ingest_listen,
            app.register,
            more_errors=ERRORS,
            access=app.access,
            limits=app.rates,
        ) as server,
        open_channel(server.address, told.own_token) as channel,
    ):
        yield Ingest(channel, server.address, http.address)


class IngestProcess:
    """Ingest as a process of its own; stopped, killed and started again on its port."""

    def __init__(self, database_url: str, directory: Path) -> None:
        self._url = database_url
        self.ready_file = directory / "ready.json"
        self._listen = "127.0.0.1:0"
        self.process: asyncio.subprocess.Process | None = None
        self.pass_fds: tuple[int, ...] = ()

    async def start(self, **environment: str) -> Ingest:
        """Start it, wait until it is ready, and answer a new connection to it."""
        self.ready_file.unlink(missing_ok=True)
        self.process = await run_ingest(
            pass_fds=self.pass_fds,
            HAIRSPRING_POSTGRES_URL=self._url,
            HAIRSPRING_INGEST_LISTEN=self._listen,
            HAIRSPRING_READY_FILE=str(self.ready_file),
            **environment,
        )
        started = self.process
        await eventually(
            lambda: self.ready_file.exists() or started.returncode is not None, timeout=30
        )
        assert started.returncode is None, "it has ended instead of starting"
        self._listen = str(json.loads(self.ready_file.read_bytes())["address"])
        return self.connect()

    def connect(self) -> Ingest:
        """Answer a new connection to it."""
        return Ingest(open_channel(self._listen), self._listen)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, wait for its end, and answer its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.process.wait()


@asynccontextmanager
async def ingest_process(database_url: str) -> AsyncIterator[IngestProcess]:
    """Give an ingest that is yet to be started, and see to its end."""
    with tempfile.TemporaryDirectory() as directory:
        running = IngestProcess(database_url, Path(directory))
        try:
            yield running
        finally:
            if running.process is not None:
                await running.end(signal.SIGKILL)


async def run_ingest(
    *arguments: str, pass_fds: tuple[int, ...] = (), **environment: str
) -> asyncio.subprocess.Process:
    """Run the command of ingest with these settings and no others, but that it has no keys."""
    bare = {name: value for name, value in os.environ.items() if "HAIRSPRING" not in name}
    bare["HAIRSPRING_AUTH"] = "off"
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hairspring.services.ingest",
        *arguments,
        env=bare | environment,
        pass_fds=pass_fds,
        stdout=asyncio.subprocess.PIPE,
        stderr=None if environment.get("HAIRSPRING_READY_FILE") else asyncio.subprocess.PIPE,
    )
