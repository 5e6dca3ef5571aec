"""What the pipeline is measured on: durable servers, the real services, profiles with a past."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from hairspring.contracts.definition.v1 import (
    definition_pb2,
    definition_service_pb2,
    definition_service_pb2_grpc,
)
from hairspring.contracts.membership.v1 import (
    membership_service_pb2,
    membership_service_pb2_grpc,
)
from hairspring.embedded.postgres import PostgresServer, postgres
from hairspring.embedded.valkey import ValkeyServer, valkey
from hairspring.log.shards import DEFAULT_SHARD_COUNT, shard_of
from hairspring.runtime.client import open_channel

from tests.benchmarks import cpu, definitions
from tests.benchmarks.load import Sent
from tests.benchmarks.programs import told_by
from tests.benchmarks.workload import Past, pasts, profile_id
from tests.support.cluster import TOKEN, Service, now
from tests.support.waiting import eventually

#: What a server that is meant for this would have, and the laptop's has not.
POSTGRES = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
WORKSPACE = "default"
LONGEST_SECONDS = 3_600
_LOOK_SECONDS = 0.05
_FILL = 5_000
_ENDS = "SELECT shard, max(position) FROM ingest.log WHERE position > $1 GROUP BY shard"
_BEHIND = """
SELECT count(*) FROM rule_evaluator.shards AS s
JOIN unnest($1::int[], $2::bigint[]) AS e (shard, position) USING (shard)
WHERE s.position < e.position
"""
_EVALUATED = "SELECT max(position) FROM rule_evaluator.shards"
_CHANGES = "SELECT head FROM rule_evaluator.lane"
_NAMES = "SELECT pid, coalesce(nullif(application_name, ''), backend_type) FROM pg_stat_activity"


@dataclass(slots=True, kw_only=True)
class Measured:
    """A stretch of work: how many events, and what each process took for them.

    From `began` to `ended`, in seconds since the epoch.
    """

    events: int = 0
    began: float = 0.0
    ended: float = 0.0
    changes: int = 0  #: Records in the evaluator's log.
    cpu: Counter[str] = field(default_factory=Counter)  #: Seconds by process.
    megabytes: float = 0.0  #: Of the largest evaluator.

    def sent(self, sent: Sent) -> None:
        """Notes what the load generator did."""
        self.events, self.began = sent.events, sent.began
        self.cpu["load generator"] += sent.cpu_seconds

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / (self.ended - self.began)

    def microseconds(self, name: str = "") -> float:
        """What a process took of the cores for an event; without a name, what all took."""
        taken = self.cpu[name] if name else sum(self.cpu.values())
        return taken / self.events * 1e6


class Stage:
    """The servers and services of one measurement, and what is done with them."""

    def __init__(
        self,
        directory: Path,
        database: PostgresServer,
        redis: ValkeyServer,
        connection: asyncpg.Connection,
        profiles: int,
    ) -> None:
        self._database = database
        self._redis = redis
        self._connection = connection
        self._profiles = profiles
        self._seed = 0
        environment = {
            "HAIRSPRING_POSTGRES_URL": database.url,
            "HAIRSPRING_SERVICE_TOKEN": TOKEN,
            "HAIRSPRING_REDIS_URL": redis.url,
        }
        self.ingest = Service("ingest", environment, _made(directory / "ingest"))
        environment["HAIRSPRING_INGEST_ADDRESS"] = self.ingest.address
        self.evaluators = [
            Service("rule_evaluator", environment, _made(directory / f"evaluator-{number}"))
            for number in (1, 2)
        ]
        self._running: list[Service] = []

    async def prepare(self) -> None:
        """Starts ingest, applies the hundred segments, and stores the profiles."""
        await self.start(self.ingest)
        await self.start(self.evaluators[0])
        await self.apply(definitions.text())
        await self.stop(self.evaluators[0])
        await self._store([*pasts(definitions.plan(), now=now())])

    async def apply(self, text: str, *, wait: bool = True) -> None:
        """Puts definitions in force, or begins to where they have to be filled first."""
        manifest = definition_pb2.Manifest(path="bench.yaml", text=text)
        async with open_channel(self.evaluators[0].address, TOKEN) as channel:
            stub = definition_service_pb2_grpc.DefinitionServiceStub(channel)
            request = definition_service_pb2.ApplyDefinitionsRequest(manifests=[manifest])
            if not wait:
                request.wait.SetInParent()
            answer = await stub.ApplyDefinitions(request, timeout=60, wait_for_ready=True)
        if answer.problems or (wait and (answer.waiting_shards or answer.filling_segments)):
            raise AssertionError(f"the definitions are not in force: {answer}")

    async def is_filling(self, segment: str) -> bool:
        """Tells whether a segment is being filled still."""
        async with open_channel(self.evaluators[0].address, TOKEN) as channel:
            stub = membership_service_pb2_grpc.MembershipServiceStub(channel)
            request = membership_service_pb2.CountMembersRequest()
            answer = await stub.CountMembers(request, timeout=60, wait_for_ready=True)
        found = {one.segment: one.status for one in answer.counts}
        return found[segment] == membership_service_pb2.SEGMENT_STATUS_FILLING

    async def start(self, *services: Service) -> None:
        """Starts services."""
        await asyncio.gather(*(service.start() for service in services))
        self._running += services

    async def stop(self, *services: Service) -> None:
        """Ends services that run."""
        ended = [service for service in services if service in self._running]
        self._running = [service for service in self._running if service not in ended]
        await asyncio.gather(*(service.stop() for service in ended))

    async def close(self) -> None:
        """Ends everything."""
        await self.stop(*reversed(self._running))

    async def ask(self, query: str, *arguments: object) -> float:
        """Asks the database for a number."""
        found: float = await self._connection.fetchval(query, *arguments)
        return found

    async def head(self) -> int:
        """How far the log of ingest goes."""
        return int(await self._connection.fetchval("SELECT head FROM ingest.lane"))

    async def evaluated_through(self) -> int:
        """Up to where everything has been evaluated for sure."""
        return int(await self._connection.fetchval(_EVALUATED))

    async def load(self, *options: object) -> Sent:
        """Runs the load generator to its end."""
        self._seed += 1
        told = await told_by(
            *(sys.executable, "-m", "tests.benchmarks.load"),
            *("--address", self.ingest.address, "--postgres", self._database.url),
            *("--profiles", str(self._profiles), "--seed", str(self._seed)),
            *map(str, options),
            within=LONGEST_SECONDS,
        )
        return Sent(**told)

    async def evaluated(self, after: int) -> None:
        """Waits until everything behind a position has been evaluated and committed."""
        ends = await self._connection.fetch(_ENDS, after)
        columns = [row[0] for row in ends], [row[1] for row in ends]

        async def done() -> bool:
            return not await self._connection.fetchval(_BEHIND, *columns)

        await eventually(done, timeout=LONGEST_SECONDS, every=_LOOK_SECONDS)

    @asynccontextmanager
    async def measuring(self) -> AsyncIterator[Measured]:
        """Measures what is done in the block, which says how many events it were."""
        measured = Measured()
        before, changes = await self._cpu(), await self._changes()
        yield measured
        measured.ended = time.time()
        measured.cpu.update(await self._cpu())
        measured.cpu.subtract(before)
        measured.changes = await self._changes() - changes
        running = [service for service in self._running if service in self.evaluators]
        measured.megabytes = max((cpu.megabytes(one.pid) for one in running), default=0.0)

    async def _changes(self) -> int:
        return int(await self._connection.fetchval(_CHANGES) or 0)

    async def _cpu(self) -> Counter[str]:
        names = {row[0]: row[1] for row in await self._connection.fetch(_NAMES)}
        told = cpu.of_postgres(self._database.pid, names)
        found = Counter({f"postgres: {name or 'itself'}": taken for name, taken in told.items()})
        found["valkey"] = cpu.seconds(self._redis.pid)
        del found["postgres: benchmark"]
        for service in self._running:
            found[service.name.replace("_", "-")] += cpu.seconds(service.pid)
        return found

    async def _store(self, known: list[Past]) -> None:
        """Stores the profiles as they stand after their past."""
        for start in range(0, self._profiles, _FILL):
            numbers = range(start, min(start + _FILL, self._profiles))
            rows, members = [], []
            for number in numbers:
                profile, past = profile_id(number), known[number % len(known)]
                shard = shard_of(WORKSPACE, profile, DEFAULT_SHARD_COUNT)
                rows.append((shard, WORKSPACE, profile, past.state, past.due_at))
                members += [
                    (shard, WORKSPACE, segment, profile, at) for segment, at in past.members
                ]
            await self._copy("profiles", rows)
            await self._copy("memberships", members)
        await self._connection.execute("VACUUM ANALYZE")

    async def _copy(self, table: str, rows: list[tuple[object, ...]]) -> None:
        await self._connection.copy_records_to_table(
            table, schema_name="rule_evaluator", records=rows
        )


@asynccontextmanager
async def stage(directory: Path, *, profiles: int) -> AsyncIterator[Stage]:
    """Sets the stage, with so many profiles stored; in the end nothing of it runs."""
    async with (
        postgres(directory / "postgres", settings=POSTGRES) as database,
        valkey(_made(directory / "valkey")) as redis,
    ):
        connection = await asyncpg.connect(
            database.url, server_settings={"application_name": "benchmark"}
        )
        made = Stage(directory, database, redis, connection, profiles)
        try:
            await made.prepare()
            yield made
        finally:
            await made.close()
            await connection.close()


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
