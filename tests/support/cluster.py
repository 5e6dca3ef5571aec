"""The three services as processes of their own, which can be killed and started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hairspring.contracts.definition.v1 import (
    definition_pb2,
    definition_service_pb2,
    definition_service_pb2_grpc,
)
from hairspring.contracts.event.v1 import (
    event_log_service_pb2,
    event_log_service_pb2_grpc,
    event_pb2,
    event_service_pb2,
    event_service_pb2_grpc,
)
from hairspring.contracts.flow.v1 import flow_service_pb2_grpc
from hairspring.contracts.membership.v1 import (
    membership_service_pb2,
    membership_service_pb2_grpc,
)
from hairspring.contracts.message.v1 import message_service_pb2_grpc
from hairspring.contracts.transition.v1 import (
    transition_pb2,
    transition_service_pb2,
    transition_service_pb2_grpc,
)
from hairspring.embedded.ports import free_port
from hairspring.runtime.client import open_channel
from hairspring.wire.transitions import transition_json

from tests.support.waiting import eventually

TOKEN = "the-token-of-the-deployment"
"""What the services show each other, and what tests show them: everything is open to it."""

SERVICES = ("ingest", "rule_evaluator", "delivery")
_LISTEN = {"ingest": "INGEST", "rule_evaluator": "EVALUATOR", "delivery": "DELIVERY"}


class Service:
    """One service as a process, always on the same port."""

    def __init__(
        self, name: str, environment: dict[str, str], directory: Path, label: str = ""
    ) -> None:
        self.name = name
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = directory / f"{label or name}.log"
        self._ready = directory / f"{label or name}.json"
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id of the running service."""
        assert self._process is not None
        return self._process.pid

    def configure(self, environment: dict[str, str]) -> None:
        """Tell it more by its environment, from its next start on."""
        self._environment = {**self._environment, **environment}

    @property
    def running(self) -> bool:
        """Whether its process is there, be it paused."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        await self.spawn()
        await eventually(self._is_ready, timeout=30.0)

    async def spawn(self) -> None:
        """Start it, and do not wait."""
        self._ready.unlink(missing_ok=True)
        environment = {
            **os.environ,
            **self._environment,
            f"HAIRSPRING_{_LISTEN[self.name]}_LISTEN": self.address,
            "HAIRSPRING_READY_FILE": str(self._ready),
        }
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"hairspring.services.{self.name}",
                "--die-with-parent",
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def ready(self) -> bool:
        """Whether it has said that it is ready."""
        return self._ready.exists()

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise AssertionError(f"{self.name} ended:\n{self.log.read_text()[-3000:]}")
        return self.ready

    def pause(self) -> None:
        """Stop it where it is, by SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Have it go on, by SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    async def kill(self) -> None:
        """End it by SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """End it by SIGTERM, and answer its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None or process.returncode is not None:
            return 0 if process is None else process.returncode or 0
        process.send_signal(number)
        async with asyncio.timeout(20):
            return await process.wait()

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        found = []
        for line in self.log.read_text().splitlines():
            if line.startswith("{"):
                found.append(json.loads(line))
        return found


class Cluster:
    """Services on one Postgres and one Redis, and the calls that tests make most."""

    def __init__(
        self,
        services: Sequence[Service],
        environment: dict[str, str] | None = None,
        directory: Path = Path(),
    ) -> None:
        self.services = {service.name: service for service in services}
        self.replicas: list[Service] = []
        self._environment = environment or {}
        self._directory = directory
        self._channels = {s.name: open_channel(s.address, TOKEN) for s in services}
        channel = self._channels["ingest"]
        self.events = event_service_pb2_grpc.EventServiceStub(channel)
        self.log = event_log_service_pb2_grpc.EventLogServiceStub(channel)
        channel = self._channels["rule_evaluator"]
        self.definitions = definition_service_pb2_grpc.DefinitionServiceStub(channel)
        self.memberships = membership_service_pb2_grpc.MembershipServiceStub(channel)
        self.transitions = transition_service_pb2_grpc.TransitionServiceStub(channel)
        if "delivery" in self._channels:
            channel = self._channels["delivery"]
            self.messages = message_service_pb2_grpc.MessageServiceStub(channel)
            self.flows = flow_service_pb2_grpc.FlowServiceStub(channel)

    @property
    def addresses(self) -> dict[str, str]:
        """The settings with which clients find the services, and are let in."""
        return {"HAIRSPRING_KEY": TOKEN} | {
            f"HAIRSPRING_{_LISTEN[name]}_ADDRESS": service.address
            for name, service in self.services.items()
        }

    def replica(self, name: str) -> Service:
        """Make one more replica of a service, at an address of its own, yet to be started."""
        label = f"{name}-{len(self.replicas) + 2}"
        made = Service(name, self._environment, self._directory, label)
        self.replicas.append(made)
        return made

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels.values():
            await channel.close()

    async def apply(self, text: str, **fields: Any) -> list[definition_pb2.Problem]:
        """Apply definitions, wait until every shard judges by them, complete; answer problems."""
        response = await self.definitions.ApplyDefinitions(
            definition_service_pb2.ApplyDefinitionsRequest(
                manifests=[definition_pb2.Manifest(path="test.yaml", text=text)], **fields
            ),
            timeout=30,
            wait_for_ready=True,
        )
        assert not response.waiting_shards
        assert not response.filling_segments
        return list(response.problems)

    async def track(self, *events: event_pb2.Event) -> list[event_service_pb2.EventResult]:
        """Record events, and try again while ingest is away; they carry their message ids."""
        request = event_service_pb2.BatchTrackEventsRequest(events=events)
        async with asyncio.timeout(60):
            while True:
                try:
                    answer = await self.events.BatchTrackEvents(request, timeout=5)
                    return list(answer.results)
                except Exception:
                    await asyncio.sleep(0.05)

    async def settled(self, profiles: Iterable[str]) -> None:
        """Wait until everything accepted so far has been evaluated for these profiles."""
        names = sorted(set(profiles))
        for start in range(0, len(names), 500):
            request = membership_service_pb2.CheckMembershipsRequest(
                questions=[
                    membership_service_pb2.MembershipQuestion(profile_id=name, segment="any")
                    for name in names[start : start + 500]
                ]
            )
            async with asyncio.timeout(60):
                while True:
                    try:
                        await self.memberships.CheckMemberships(request, timeout=20)
                        break
                    except Exception:
                        await asyncio.sleep(0.05)

    async def records(self, after: int = 0) -> list[transition_pb2.Record]:
        """Read the evaluator's log."""
        request = transition_service_pb2.TailRecordsRequest(after_position=after, stop_at_head=True)
        return [
            record
            async for answer in self.transitions.TailRecords(
                request, timeout=60, wait_for_ready=True
            )
            for record in answer.records
        ]

    async def changes(self) -> list[dict[str, Any]]:
        """The transitions as people read them, ordered as `simulate` orders them."""
        found = [
            transition_json(record)
            for record in await self.records()
            if record.WhichOneof("body") == "transition"
        ]
        return sorted(found, key=lambda c: (c["effective_at"], c["profile"], c["segment"]))

    async def event_log(self) -> list[event_pb2.EventRecord]:
        """Read the event log."""
        request = event_log_service_pb2.TailEventsRequest(stop_at_head=True, max_batch_size=5000)
        return [
            record
            async for answer in self.log.TailEvents(request, timeout=60, wait_for_ready=True)
            for record in answer.records
        ]


@asynccontextmanager
async def cluster(
    directory: Path,
    postgres_url: str,
    redis_url: str,
    *,
    smtp_url: str = "",
    services: Sequence[str] = SERVICES,
    make: type[Cluster] = Cluster,
    **settings: str,
) -> AsyncIterator[Cluster]:
    """Run services as processes; in the end all of them are ended by SIGTERM."""
    environment = {
        "HAIRSPRING_POSTGRES_URL": postgres_url,
        "HAIRSPRING_REDIS_URL": redis_url,
        "HAIRSPRING_SMTP_URL": smtp_url,
        "HAIRSPRING_MAIL_FROM": "shop@example.com",
        "HAIRSPRING_SERVICE_TOKEN": TOKEN,
        **{f"HAIRSPRING_{name.upper()}": value for name, value in settings.items()},
    }
    made = [Service(name, environment, directory) for name in services]
    running = make(made, environment, directory)
    environment.update(running.addresses)
    try:
        await asyncio.gather(*(service.start() for service in made))
        yield running
    finally:
        await running.close()
        ending = [*made, *running.replicas]
        await asyncio.gather(*(service.stop() for service in ending), return_exceptions=True)


def track(
    profile: str, name: str, *, at: int | None = None, id: str = "", **properties: object
) -> event_pb2.Event:
    """Make an event; `at` in milliseconds, UTC."""
    event = event_pb2.Event(
        profile_id=profile,
        name=name,
        message_id=id,
        properties_json=json.dumps(properties).encode(),
    )
    if at is not None:
        event.occur_time.seconds, rest = divmod(at, 1000)
        event.occur_time.nanos = rest * 1_000_000
    return event


def now() -> int:
    """The time in milliseconds, UTC."""
    return time.time_ns() // 1_000_000
