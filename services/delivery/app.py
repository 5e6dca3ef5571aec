"""The composition root of delivery: connects everything, and disconnects it in reverse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from hairspring.contracts.flow.v1 import flow_service_pb2, flow_service_pb2_grpc
from hairspring.contracts.message.v1 import message_service_pb2, message_service_pb2_grpc
from hairspring.contracts.privacy.v1 import privacy_service_pb2, privacy_service_pb2_grpc
from hairspring.database.migrations import Migrations, migrate
from hairspring.database.notices import Notices
from hairspring.database.pool import open_pool
from hairspring.ownership.port import new_replica_id
from hairspring.ownership.postgres import MIGRATIONS as OWNERSHIP
from hairspring.ownership.postgres import PostgresOwnership, install_shards
from hairspring.runtime.access import Access
from hairspring.runtime.client import open_channel
from hairspring.runtime.clock import Clock, now_ms
from hairspring.runtime.config import BadSettings
from hairspring.runtime.looking_up import access_by, at_ingest
from hairspring.runtime.metrics import serve_metrics
from hairspring.services.delivery.adapters.definitions import Definitions
from hairspring.services.delivery.adapters.evaluator import Evaluator
from hairspring.services.delivery.adapters.ingest import Ingest
from hairspring.services.delivery.adapters.listing import Listing
from hairspring.services.delivery.adapters.smtp import BadServer, Server, SmtpMailer, server_of
from hairspring.services.delivery.adapters.store import PostgresDeliveryStore
from hairspring.services.delivery.config import DeliverySettings
from hairspring.services.delivery.facts import FactFinder
from hairspring.services.delivery.follower import Follower
from hairspring.services.delivery.handlers.flows import FlowHandlers
from hairspring.services.delivery.handlers.messages import MessageHandlers
from hairspring.services.delivery.handlers.privacy import PrivacyHandlers
from hairspring.services.delivery.ledger import Ledger
from hairspring.services.delivery.mail import BadAddress, Sender, sender_of
from hairspring.services.delivery.metrics import Watch
from hairspring.services.delivery.replica import Replica
from hairspring.services.delivery.ringing import Ringing
from hairspring.services.delivery.sender import Sending
from hairspring.services.delivery.waits import NAMESPACE, Waits
from hairspring.timers.redis import RedisDelayQueue

SCHEMA = "delivery"
MIGRATIONS = Migrations(source="delivery", directory=Path(__file__).parent / "migrations")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Delivery, connected: the replica that works, and the handlers that tell of it."""

    replica: Replica
    listing: Listing
    privacy: PrivacyHandlers
    access: Access

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        """Add the handlers to a server; answers the full names of their services."""
        message_service_pb2_grpc.add_MessageServiceServicer_to_server(
            MessageHandlers(self.listing), server
        )
        flow_service_pb2_grpc.add_FlowServiceServicer_to_server(FlowHandlers(self.listing), server)
        privacy_service_pb2_grpc.add_PrivacyServiceServicer_to_server(self.privacy, server)
        return [
            message_service_pb2.DESCRIPTOR.services_by_name["MessageService"].full_name,
            flow_service_pb2.DESCRIPTOR.services_by_name["FlowService"].full_name,
            privacy_service_pb2.DESCRIPTOR.services_by_name["PrivacyService"].full_name,
        ]


@asynccontextmanager
async def build(settings: DeliverySettings, clock: Clock = now_ms) -> AsyncIterator[App]:
    """Connect everything that delivery needs. Raises BadSettings and DatabaseUnavailable."""
    server, sender = mail_settings(settings)
    async with AsyncExitStack() as stack:
        replica_id = new_replica_id()
        name = f"hairspring-delivery-{replica_id}"[:63]
        pool = await stack.enter_async_context(open_pool(settings.postgres_url, name=name))
        await migrate(pool, SCHEMA, OWNERSHIP, MIGRATIONS)
        await install_shards(pool, SCHEMA, settings.shards)
        notices = await stack.enter_async_context(Notices.open(settings.postgres_url, name=name))
        ownership = await stack.enter_async_context(
            PostgresOwnership.open(
                settings.postgres_url, pool, notices, SCHEMA, replica_id, settings.lease_ms
            )
        )
        queue = await stack.enter_async_context(RedisDelayQueue.open(settings.redis_url, NAMESPACE))
        token = settings.own_token
        channel = await stack.enter_async_context(open_channel(settings.evaluator_address, token))
        evaluator = Evaluator(channel)
        to_ingest = await stack.enter_async_context(open_channel(settings.ingest_address, token))
        ingest = Ingest(to_ingest)
        mailer = await stack.enter_async_context(SmtpMailer.open(server, clock))

        store = PostgresDeliveryStore(pool, SCHEMA)
        ledger = Ledger(store, ownership)
        waits = Waits(queue, store.waking, ledger.epochs, ahead_ms=settings.timers_ahead_ms)
        definitions = Definitions(evaluator)
        sending = Sending(
            store=store,
            ledger=ledger,
            waits=waits,
            definitions=definitions,
            evaluator=evaluator,
            facts=FactFinder(ingest),
            mailer=mailer,
            sender=sender,
            clock=clock,
            shard_count=settings.shards,
        )
        replica = Replica(
            ownership=ownership,
            ledger=ledger,
            queue=queue,
            waits=waits,
            follower=Follower(
                evaluator,
                definitions,
                store,
                ledger,
                waits,
                clock,
                shard_count=settings.shards,
            ),
            ringing=Ringing(queue, waits, sending, store, ledger, clock),
            clock=clock,
            drain_seconds=settings.drain_seconds,
        )
        watch = Watch(ledger, waits, queue)
        await stack.enter_async_context(serve_metrics(settings.delivery_metrics, [watch.refresh]))
        listing = Listing(pool, SCHEMA)
        yield App(
            replica=replica,
            listing=listing,
            privacy=PrivacyHandlers(listing, store, channel, settings.shards),
            access=access_by(at_ingest(to_ingest), settings),
        )


def mail_settings(settings: DeliverySettings) -> tuple[Server, Sender]:
    """Read where mails are handed over and whom they come from. Raises BadSettings."""
    try:
        return server_of(settings.smtp_url), sender_of(settings.mail_from)
    except BadServer as error:
        raise BadSettings(f"{error}.") from None
    except BadAddress as error:
        raise BadSettings(f"HAIRSPRING_MAIL_FROM cannot be used: {error}.") from None
