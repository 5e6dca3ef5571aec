"""The evaluator and ingest as delivery meets them: the real protocol, served from lists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from hairspring.contracts.definition.v1 import (
    definition_pb2,
    definition_service_pb2,
    definition_service_pb2_grpc,
)
from hairspring.contracts.event.v1 import (
    event_log_service_pb2,
    event_log_service_pb2_grpc,
    event_pb2,
)
from hairspring.contracts.membership.v1 import (
    membership_service_pb2,
    membership_service_pb2_grpc,
)
from hairspring.contracts.transition.v1 import (
    transition_pb2,
    transition_service_pb2,
    transition_service_pb2_grpc,
)
from hairspring.embedded.ports import free_port
from hairspring.log.shards import shard_of
from hairspring.wire.times import from_ms, set_ms

SHARDS = 8


class Peers:
    """What the evaluator and ingest know; it changes as a test goes on."""

    def __init__(self) -> None:
        self.port = free_port("127.0.0.1")
        self.records: list[transition_pb2.Record] = []
        self.grown = asyncio.Condition()
        self.tailed: list[dict[int, int]] = []
        self.entered: dict[tuple[str, str], int] = {}
        self.part_of: dict[str, str] = {}
        self.traits: dict[str, dict[str, Any]] = {}
        self.events: list[event_pb2.EventRecord] = []
        self.definitions: dict[int, list[definition_pb2.Definition]] = {}
        self.checks = 0
        self.check_gate: asyncio.Event | None = None
        self._server: grpc.aio.Server | None = None

    @property
    def address(self) -> str:
        """Where both services are served."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Serve, at the same port as before."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        transition_service_pb2_grpc.add_TransitionServiceServicer_to_server(
            _Transitions(self), server
        )
        membership_service_pb2_grpc.add_MembershipServiceServicer_to_server(
            _Memberships(self), server
        )
        definition_service_pb2_grpc.add_DefinitionServiceServicer_to_server(
            _Definitions(self), server
        )
        event_log_service_pb2_grpc.add_EventLogServiceServicer_to_server(_Events(self), server)
        server.add_insecure_port(self.address)
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Be away."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(0)

    def define(self, version: int, *bodies: dict[str, Any]) -> None:
        """Put flows (with steps) and templates in force under a plan version."""
        self.definitions[version] = [
            definition_pb2.Definition(
                kind=(
                    definition_pb2.DEFINITION_KIND_FLOW
                    if "steps" in body
                    else definition_pb2.DEFINITION_KIND_TEMPLATE
                ),
                name=body["name"],
                version=version,
                body_json=json.dumps(body).encode(),
            )
            for body in bodies
        ]

    def track(self, profile: str, event: str, at: int, /, **properties: Any) -> int:
        """Record an event; answers its position."""
        record = event_pb2.EventRecord(
            position=len(self.events) + 1, workspace_id="default", profile_id=profile
        )
        record.event.name = event
        record.event.properties_json = json.dumps(properties).encode()
        set_ms(record.event.occur_time, at)
        self.events.append(record)
        return record.position

    async def enter(
        self,
        profile: str,
        at: int,
        *,
        segment: str = "cart-abandoners",
        plan_version: int = 1,
        sets_off_flows: bool = True,
        evidence: tuple[int, ...] = (),
    ) -> None:
        """Record that somebody entered a segment."""
        self.entered[profile, segment] = at
        record = self._record(profile, segment, transition_pb2.CHANGE_ENTERED, at, at)
        record.plan_version = plan_version
        record.transition.sets_off_flows = sets_off_flows
        if evidence:
            found = record.transition.evidence.add(path="enter.abandoned", holds=True)
            for position in evidence:
                found.events.add(position=position)
        await self._append(record)

    async def leave(self, profile: str, at: int, *, segment: str = "cart-abandoners") -> None:
        """Record that somebody left a segment."""
        entered = self.entered.pop((profile, segment))
        record = self._record(profile, segment, transition_pb2.CHANGE_LEFT, at, entered)
        record.transition.sets_off_flows = True
        await self._append(record)

    async def merge(self, profile: str, former: str, entered: dict[str, int]) -> None:
        """Record that `former` became part of a profile, which has been in these segments since."""
        record = self._new(profile)
        record.merged.former_profile_id = former
        self.part_of[former] = profile
        for segment, at in entered.items():
            self.entered[profile, segment] = at
            set_ms(record.merged.memberships.add(segment=segment).enter_time, at)
        await self._append(record)

    def _record(
        self, profile: str, segment: str, change: Any, at: int, entered_at: int
    ) -> transition_pb2.Record:
        record = self._new(profile)
        record.record_time.CopyFrom(from_ms(at))
        record.transition.segment = segment
        record.transition.change = change
        set_ms(record.transition.effective_time, at)
        set_ms(record.transition.enter_time, entered_at)
        set_ms(record.transition.cause.time, at)
        return record

    def _new(self, profile: str) -> transition_pb2.Record:
        return transition_pb2.Record(
            position=len(self.records) + 1,
            shard=shard_of("default", profile, SHARDS),
            workspace_id="default",
            profile_id=profile,
            plan_version=1,
            trace_id=f"trace-{len(self.records) + 1}",
        )

    async def _append(self, record: transition_pb2.Record) -> None:
        async with self.grown:
            self.records.append(record)
            self.grown.notify_all()


@asynccontextmanager
async def run_peers() -> AsyncIterator[Peers]:
    """Serve the peers until the end of the block."""
    peers = Peers()
    await peers.start()
    try:
        yield peers
    finally:
        await peers.stop()


class _Transitions(transition_service_pb2_grpc.TransitionServiceServicer):
    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def TailRecords(self, request: Any, context: Any) -> AsyncIterator[Any]:
        after = {one.shard: one.position for one in request.shards}
        self._peers.tailed.append(after)
        read = 0
        while True:
            async with self._peers.grown:
                while len(self._peers.records) <= read:
                    await self._peers.grown.wait()
            fresh = self._peers.records[read:]
            read += len(fresh)
            yield transition_service_pb2.TailRecordsResponse(
                records=[one for one in fresh if one.position > after.get(one.shard, 1 << 60)],
                through_position=read,
            )


class _Memberships(membership_service_pb2_grpc.MembershipServiceServicer):
    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def CheckMemberships(self, request: Any, context: Any) -> Any:
        self._peers.checks += 1
        if self._peers.check_gate is not None:
            await self._peers.check_gate.wait()
        response = membership_service_pb2.CheckMembershipsResponse()
        for question in request.questions:
            asked = question.profile_id
            profile = self._peers.part_of.get(asked, asked)
            entered = self._peers.entered.get((profile, question.segment))
            answer = response.answers.add(member=entered is not None, profile_id=profile)
            if entered is not None:
                set_ms(answer.enter_time, entered)
            traits = self._peers.traits.get(profile, {})
            answer.traits_json = json.dumps(traits).encode()
        return response


class _Definitions(definition_service_pb2_grpc.DefinitionServiceServicer):
    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def ListDefinitions(self, request: Any, context: Any) -> Any:
        if request.plan_version not in self._peers.definitions:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such plan version")
        return definition_service_pb2.ListDefinitionsResponse(
            definitions=self._peers.definitions[request.plan_version],
            plan_version=request.plan_version,
        )


class _Events(event_log_service_pb2_grpc.EventLogServiceServicer):
    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def ListEvents(self, request: Any, context: Any) -> Any:
        return event_log_service_pb2.ListEventsResponse(
            records=[
                one
                for one in self._peers.events
                if one.profile_id in request.profile_ids
                and one.position > request.after_position
                and (not request.names or one.event.name in request.names)
            ]
        )

    async def GetEvents(self, request: Any, context: Any) -> Any:
        return event_log_service_pb2.GetEventsResponse(
            records=[one for one in self._peers.events if one.position in request.positions]
        )
