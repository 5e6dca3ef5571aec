"""Puts the rule evaluator together: everything that it needs, and how it is taken apart."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
import grpc
from hairspring.contracts.definition.v1.definition_service_pb2_grpc import (
    add_DefinitionServiceServicer_to_server,
)
from hairspring.contracts.membership.v1.membership_service_pb2_grpc import (
    add_MembershipServiceServicer_to_server,
)
from hairspring.contracts.preview.v1.preview_service_pb2_grpc import (
    add_PreviewServiceServicer_to_server,
)
from hairspring.contracts.privacy.v1.privacy_service_pb2_grpc import (
    add_PrivacyServiceServicer_to_server,
)
from hairspring.contracts.profile.v1.profile_service_pb2_grpc import (
    add_ProfileServiceServicer_to_server,
)
from hairspring.contracts.quarantine.v1.quarantine_service_pb2_grpc import (
    add_QuarantineServiceServicer_to_server,
)
from hairspring.contracts.segment.v1.segment_service_pb2_grpc import (
    add_SegmentServiceServicer_to_server,
)
from hairspring.contracts.shard.v1.shard_service_pb2_grpc import (
    add_ShardServiceServicer_to_server,
)
from hairspring.contracts.transition.v1.transition_service_pb2_grpc import (
    add_TransitionServiceServicer_to_server,
)
from hairspring.database.migrations import migrate
from hairspring.database.notices import Notices
from hairspring.database.pool import open_pool
from hairspring.log import postgres as log_postgres
from hairspring.log.deletions import Deletions
from hairspring.log.postgres import PostgresLog
from hairspring.ownership import postgres as ownership_postgres
from hairspring.ownership.port import Owned, new_replica_id
from hairspring.ownership.postgres import PostgresOwnership, install_shards
from hairspring.ownership.reading import ShardReader
from hairspring.runtime.access import Access
from hairspring.runtime.client import open_channel
from hairspring.runtime.clock import Clock, now_ms
from hairspring.runtime.looking_up import access_by, at_ingest
from hairspring.runtime.metrics import serve_metrics
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.services.rule_evaluator.adapters.profiles import Profiles
from hairspring.services.rule_evaluator.alarms import Alarms
from hairspring.services.rule_evaluator.applying import Applying
from hairspring.services.rule_evaluator.config import EvaluatorSettings
from hairspring.services.rule_evaluator.evaluation import Evaluation
from hairspring.services.rule_evaluator.explaining import Explaining
from hairspring.services.rule_evaluator.forwarding import ForwardedMemberships
from hairspring.services.rule_evaluator.handlers.definitions import DefinitionHandlers
from hairspring.services.rule_evaluator.handlers.memberships import MembershipHandlers
from hairspring.services.rule_evaluator.handlers.preview import PreviewHandlers
from hairspring.services.rule_evaluator.handlers.privacy import PrivacyHandlers
from hairspring.services.rule_evaluator.handlers.quarantine import QuarantineHandlers
from hairspring.services.rule_evaluator.handlers.segments import SegmentHandlers
from hairspring.services.rule_evaluator.handlers.shards import ShardHandlers
from hairspring.services.rule_evaluator.handlers.transitions import TransitionHandlers
from hairspring.services.rule_evaluator.lanes import Lanes
from hairspring.services.rule_evaluator.lines import Detail
from hairspring.services.rule_evaluator.peers import Peers
from hairspring.services.rule_evaluator.plans import PlanBook
from hairspring.services.rule_evaluator.term import Term
from hairspring.services.rule_evaluator.watch import Watch
from hairspring.services.rule_evaluator.work import TermEnded
from hairspring.store import postgres as store_postgres
from hairspring.store.definitions import DefinitionStore
from hairspring.store.postgres import PostgresStore
from hairspring.timers.redis import RedisDelayQueue

SCHEMA = "rule_evaluator"
QUEUE = "hairspring:alarms"

#: What callers are told to try again after.
ERRORS = {
    TermEnded: grpc.StatusCode.UNAVAILABLE,
    grpc.aio.AioRpcError: grpc.StatusCode.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The parts that the process runs."""

    access: Access
    evaluation: Evaluation
    events: EventLog
    reader: ShardReader
    definitions: DefinitionHandlers
    deletions: Deletions
    memberships: MembershipHandlers
    previews: PreviewHandlers
    ownership: PostgresOwnership
    peers: Peers
    privacy: PrivacyHandlers
    quarantine: QuarantineHandlers
    segments: SegmentHandlers
    shards: ShardHandlers
    transitions: TransitionHandlers

    async def advertise(self, address: str) -> None:
        """Tells the other replicas where this one is reached, as host:port."""
        self.peers.own = address
        await self.ownership.advertise(address)

    def register(self, server: grpc.aio.Server) -> list[str]:
        """Adds the handlers to a server, and names their services."""
        add_DefinitionServiceServicer_to_server(self.definitions, server)
        add_MembershipServiceServicer_to_server(self.memberships, server)
        add_PreviewServiceServicer_to_server(self.previews, server)
        add_PrivacyServiceServicer_to_server(self.privacy, server)
        add_ProfileServiceServicer_to_server(self.memberships, server)
        add_QuarantineServiceServicer_to_server(self.quarantine, server)
        add_SegmentServiceServicer_to_server(self.segments, server)
        add_ShardServiceServicer_to_server(self.shards, server)
        add_TransitionServiceServicer_to_server(self.transitions, server)
        return [
            "hairspring.definition.v1.DefinitionService",
            "hairspring.membership.v1.MembershipService",
            "hairspring.preview.v1.PreviewService",
            "hairspring.privacy.v1.PrivacyService",
            "hairspring.profile.v1.ProfileService",
            "hairspring.quarantine.v1.QuarantineService",
            "hairspring.segment.v1.SegmentService",
            "hairspring.shard.v1.ShardService",
            "hairspring.transition.v1.TransitionService",
        ]


@asynccontextmanager
async def build(settings: EvaluatorSettings, clock: Clock = now_ms) -> AsyncIterator[App]:
    """Connects everything the evaluator needs, and disconnects it in reverse."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        pool = await enter(open_pool(settings.postgres_url, name="rule-evaluator"))
        await _migrate(pool, settings.shards)
        notices = await enter(Notices.open(settings.postgres_url, name="rule-evaluator"))
        replica = new_replica_id()
        ownership = await enter(
            PostgresOwnership.open(
                settings.postgres_url, pool, notices, SCHEMA, replica, settings.lease_ms
            )
        )
        queue = await enter(RedisDelayQueue.open(settings.redis_url, QUEUE))
        channel = await enter(open_channel(settings.ingest_address, settings.own_token))
        log = PostgresLog(pool, notices, SCHEMA)
        store = PostgresStore(pool, SCHEMA, ownership, log)
        definitions = DefinitionStore(pool, SCHEMA)
        book = PlanBook(definitions)
        applying = Applying(definitions, book, clock)
        events = EventLog(channel)
        shards = ShardReader(pool, SCHEMA)
        peers = await enter(Peers.open(shards, settings.own_token))

        explaining = Explaining(
            events,
            log,
            definitions,
            book,
            store,
            lateness=settings.lateness_ms,
            horizon=settings.horizon_ms,
        )

        watch = Watch(events, queue)
        await enter(
            serve_metrics(settings.evaluator_metrics, [watch.refresh, watch.refresh_timers])
        )

        def make_term(owned: Mapping[int, Owned]) -> Term:
            return Term(
                owned,
                store=store,
                events=events,
                alarms=Alarms(
                    queue,
                    store,
                    clock,
                    settings.lateness_ms,
                    ahead_ms=settings.timers_ahead_ms,
                ),
                book=book,
                clock=clock,
                lateness=settings.lateness_ms,
                horizon=settings.horizon_ms,
                detail=Detail(settings.evaluator_log_detail),
            )

        def make_lanes(owned: dict[int, Owned]) -> Lanes:
            lanes = Lanes(owned, make_term)
            watch.began(lanes)
            return lanes

        evaluation = Evaluation(ownership, notices, book, definitions.channel, make_lanes)
        memberships = ForwardedMemberships(
            peers, evaluation, store, events, explaining, clock, settings.shards
        )
        yield App(
            access=access_by(at_ingest(channel), settings),
            evaluation=evaluation,
            events=events,
            reader=shards,
            definitions=DefinitionHandlers(definitions, applying),
            deletions=store.deletions,
            memberships=memberships,
            previews=PreviewHandlers(
                applying,
                Profiles(pool, SCHEMA),
                events,
                clock,
                ingest_address=settings.ingest_address,
                token=settings.own_token,
                horizon=settings.horizon_ms,
            ),
            ownership=ownership,
            peers=peers,
            privacy=PrivacyHandlers(
                channel, memberships.GetProfile, store, log, store.deletions, settings.shards
            ),
            quarantine=QuarantineHandlers(store),
            segments=SegmentHandlers(definitions, applying),
            shards=ShardHandlers(shards, store, events, clock),
            transitions=TransitionHandlers(log, settings.shards),
        )


async def _migrate(pool: asyncpg.Pool, shards: int) -> None:
    await migrate(
        pool,
        SCHEMA,
        log_postgres.MIGRATIONS,
        ownership_postgres.MIGRATIONS,
        store_postgres.MIGRATIONS,
    )
    await install_shards(pool, SCHEMA, shards)
