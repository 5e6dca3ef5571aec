"""Connects everything that ingest needs, and disconnects it in reverse."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import grpc
from hairspring.contracts.event.v1 import event_log_service_pb2_grpc, event_service_pb2_grpc
from hairspring.contracts.key.v1 import key_service_pb2_grpc
from hairspring.contracts.privacy.v1 import privacy_service_pb2_grpc
from hairspring.contracts.reject.v1 import reject_service_pb2_grpc
from hairspring.database.migrations import Migrations, migrate
from hairspring.database.notices import Notices
from hairspring.database.pool import DatabaseUnavailable, open_pool
from hairspring.log import port, postgres
from hairspring.log.deletions import Deletions
from hairspring.log.links import Merging
from hairspring.log.port import Appended, Entry, Log
from hairspring.log.retention import Retention
from hairspring.runtime.access import Access
from hairspring.runtime.clock import now_ms
from hairspring.runtime.limits import Limits as Rates
from hairspring.runtime.looking_up import access_by
from hairspring.runtime.metrics import serve_metrics
from hairspring.runtime.patience import until_it_works
from hairspring.runtime.tasks import Supervisor
from hairspring.services.ingest.adapters.installation import settle_shards
from hairspring.services.ingest.adapters.keys import KeyTable
from hairspring.services.ingest.adapters.rejects import RejectTable
from hairspring.services.ingest.appending import Append, Outcome
from hairspring.services.ingest.collecting.collector import Bounds, Collector
from hairspring.services.ingest.collecting.keys import Entrance
from hairspring.services.ingest.collecting.pages import Bundle
from hairspring.services.ingest.collecting.refusals import teller
from hairspring.services.ingest.collecting.routes import Routes
from hairspring.services.ingest.config import IngestSettings
from hairspring.services.ingest.deleting import Deleting
from hairspring.services.ingest.event_handlers import EventHandlers
from hairspring.services.ingest.gone import Gone
from hairspring.services.ingest.group_commit import GroupCommit, Limits
from hairspring.services.ingest.history import History
from hairspring.services.ingest.imports import CONCURRENT, Imports
from hairspring.services.ingest.keeping import Keeping
from hairspring.services.ingest.key_handlers import KeyHandlers
from hairspring.services.ingest.log_handlers import MAX_ANSWER_BYTES, EventLogHandlers
from hairspring.services.ingest.metrics import WAITING, refresh_head
from hairspring.services.ingest.privacy_handlers import PrivacyHandlers
from hairspring.services.ingest.recording import Recording
from hairspring.services.ingest.reject_handlers import RejectHandlers
from hairspring.services.ingest.rejecting import KEPT_DAYS, RejectingRecording, RejectLog
from hairspring.services.ingest.replaying import Replaying
from hairspring.wire.events import MERGED_AWAY_TAG, MERGED_TAG
from hairspring.wire.times import DAY_MS

SCHEMA = "ingest"
MERGING = Merging(away=MERGED_AWAY_TAG, joined=MERGED_TAG)
MIGRATIONS = Migrations(source="ingest", directory=Path(__file__).parent / "sql")

ERRORS: dict[type[BaseException], grpc.StatusCode] = {
    port.PositionAhead: grpc.StatusCode.OUT_OF_RANGE,
    port.PositionLost: grpc.StatusCode.OUT_OF_RANGE,
    port.BarrierTooFar: grpc.StatusCode.INVALID_ARGUMENT,
}
"""What the log may say to a caller, beside the errors that every service knows."""


@dataclass(frozen=True, slots=True)
class App:
    """The handlers and routes of ingest, wired."""

    events: EventHandlers
    log: EventLogHandlers
    keys: KeyHandlers
    rejects: RejectHandlers
    collector: Routes
    privacy: PrivacyHandlers
    access: Access
    rates: Rates

    def register(self, server: grpc.aio.Server) -> list[str]:
        """Add the handlers to a server, and answer the names of their services."""
        event_service_pb2_grpc.add_EventServiceServicer_to_server(self.events, server)
        event_log_service_pb2_grpc.add_EventLogServiceServicer_to_server(self.log, server)
        key_service_pb2_grpc.add_KeyServiceServicer_to_server(self.keys, server)
        privacy_service_pb2_grpc.add_PrivacyServiceServicer_to_server(self.privacy, server)
        reject_service_pb2_grpc.add_RejectServiceServicer_to_server(self.rejects, server)
        return [
            "hairspring.event.v1.EventService",
            "hairspring.event.v1.EventLogService",
            "hairspring.key.v1.KeyService",
            "hairspring.privacy.v1.PrivacyService",
            "hairspring.reject.v1.RejectService",
        ]


@asynccontextmanager
async def build(settings: IngestSettings) -> AsyncIterator[App]:
    """Connect to Postgres, bring its schema up to date, and run the loops until the block is left.

    Raises DatabaseUnavailable after `start_seconds`, BadSettings when the number of shards is not
    that of the installation, and BadBundle. Writers have connections of their own, so that no
    reader can keep them waiting.
    """
    bundle = Bundle(Path(settings.ingest_analytics_js)) if settings.ingest_analytics_js else None
    async with AsyncExitStack() as stack:

        async def connect() -> tuple[asyncpg.Pool, Notices]:
            async with AsyncExitStack() as attempt:
                pool = await attempt.enter_async_context(
                    open_pool(settings.postgres_url, name="hairspring-ingest")
                )
                notices = await attempt.enter_async_context(
                    Notices.open(settings.postgres_url, name="hairspring-ingest")
                )
                stack.push_async_exit(attempt.pop_all())
                return pool, notices

        pool, notices = await until_it_works(
            connect, seconds=settings.start_seconds, errors=(DatabaseUnavailable,)
        )
        await migrate(pool, SCHEMA, postgres.MIGRATIONS, MIGRATIONS)
        shards = await settle_shards(pool, SCHEMA, settings.shards)
        writing = await stack.enter_async_context(
            open_pool(
                settings.postgres_url,
                name="hairspring-ingest-writer",
                max_size=settings.ingest_writers + CONCURRENT,
            )
        )
        written = postgres.PostgresLog(writing, notices, SCHEMA, merging=MERGING)
        gone = await Gone.open(pool, SCHEMA)
        group = await stack.enter_async_context(
            GroupCommit(appending(written, gone), limits(settings))
        )
        imports = Imports(writing, written, gone, SCHEMA, shards=shards)
        loops = await stack.enter_async_context(Supervisor())
        loops.start("silent-imports", lambda: _finish_silent(imports, settings.import_silence))
        recording = Recording(group.submit, imports, shards=shards, new_id=lambda: uuid.uuid4().hex)
        read = postgres.PostgresLog(pool, notices, SCHEMA)
        keeping = Keeping(
            pool, SCHEMA, Retention(pool, SCHEMA), days=settings.ingest_retention_days
        )
        loops.start("retention", keeping.run)
        deletions = Deletions(pool, SCHEMA, read, read_by_all=keeping.read_by_all)
        loops.start("deletions", deletions.run)
        WAITING.set_function(lambda: group.held)
        await stack.enter_async_context(
            serve_metrics(settings.ingest_metrics, [lambda: refresh_head(read)])
        )
        bounds = bounds_of(settings)
        # In a pool of their own: a flood of them holds up neither what is accepted nor readers.
        reject_pool = await stack.enter_async_context(
            open_pool(settings.postgres_url, name="hairspring-ingest-rejects", max_size=2)
        )
        table = RejectTable(
            reject_pool,
            SCHEMA,
            most_a_day=settings.ingest_rejects_a_day,
            most_bytes_a_day=settings.ingest_reject_bytes_a_day,
        )
        rejects = RejectLog(table.keep)
        loops.start("rejects", rejects.run)
        loops.start("old-rejects", lambda: _sweep_rejects(table))
        keys = KeyTable(pool, SCHEMA)
        access = access_by(keys.look_up, settings)
        rates = Rates(settings.ingest_key_events)
        yield App(
            events=EventHandlers(RejectingRecording(recording, rejects, now_ms), imports),
            collector=Routes(
                Collector(recording, teller(rejects), bounds),
                Entrance(access, rates),
                bounds,
                clock=now_ms,
                public_url=settings.ingest_url,
                bundle=bundle,
            ),
            log=EventLogHandlers(
                read,
                keeping,
                shards=shards,
                horizon=settings.horizon_ms,
            ),
            privacy=PrivacyHandlers(
                History(read, max_bytes=MAX_ANSWER_BYTES, horizon=settings.horizon_ms),
                table,
                Deleting(
                    pool,
                    read,
                    deletions,
                    gone,
                    shards=shards,
                    new_id=lambda: uuid.uuid4().hex,
                    rejects=table,
                ),
                shards=shards,
            ),
            keys=KeyHandlers(keys, now_ms),
            rejects=RejectHandlers(table, Replaying(table, recording, bounds)),
            access=access,
            rates=rates,
        )


def appending(log: Log, gone: Gone) -> Append:
    """Answer how live events are appended: but for the past of those who are gone."""

    async def put(entries: Sequence[Entry], knows: int) -> list[Appended]:
        return await log.append(entries, knows=knows)

    async def append(entries: Sequence[Entry]) -> Sequence[Outcome]:
        return await gone.append(entries, put)

    return append


def limits(settings: IngestSettings) -> Limits:
    """Answer how much ingest holds in memory, as its settings say."""
    return Limits(
        queue_entries=settings.ingest_queue_events,
        queue_bytes=settings.ingest_queue_bytes,
        patience=settings.ingest_patience,
        writers=settings.ingest_writers,
    )


def bounds_of(settings: IngestSettings) -> Bounds:
    """Answer what is taken over HTTP, as the settings say."""
    return Bounds(
        event_bytes=settings.ingest_event_bytes,
        batch_bytes=settings.ingest_batch_bytes,
        batch_events=settings.ingest_batch_events,
        body_bytes=max(settings.ingest_body_bytes, settings.ingest_batch_bytes),
        farthest=int(settings.ingest_skew_days * DAY_MS),
        horizon=settings.horizon_ms,
    )


async def _finish_silent(imports: Imports, silence: float) -> None:
    """Finish imports that fell silent (for `silence` seconds), looking now and then."""
    while True:
        await imports.finish_silent(int(silence * 1000))
        await asyncio.sleep(min(30.0, silence / 5))


async def _sweep_rejects(table: RejectTable) -> None:
    """Drop rejects after a week, looking now and then."""
    while True:
        await table.sweep(now_ms() - KEPT_DAYS * DAY_MS)
        await asyncio.sleep(600)
