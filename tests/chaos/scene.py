"""The scene: servers, replicas of the services, and a diary of what was done to them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

from hairspring.embedded.mail import MailSink
from hairspring.embedded.postgres import PostgresServer
from hairspring.embedded.valkey import ValkeyServer

from tests.chaos import replicas
from tests.chaos.figures import Figures
from tests.chaos.replicas import Places, Replica, Replicas
from tests.chaos.watching import AWAY, LogReader, Watch
from tests.support.cluster import Cluster, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """All replicas of a service, as one to its callers."""

    name: str
    address: str


@dataclass(slots=True, kw_only=True)
class Happened:
    """One fault: what it was, and from when to when (ms, UTC) it was at work."""

    what: str
    kind: str
    began: int
    ended: int = 0
    alone: bool = True


class Scene:
    """Everything that a fault may reach."""

    def __init__(
        self,
        places: Places,
        all_replicas: Replicas,
        *,
        redis: ValkeyServer,
        postgres: PostgresServer | None,
        sink: MailSink,
        shards: int,
    ) -> None:
        self.replicas = all_replicas
        self.redis = redis
        self.sink = sink
        self.figures = Figures()
        self.diary: list[Happened] = []
        self.redis_away: list[Happened] = []
        self.notes: list[str] = []  #: What is worth a word in the report.
        self.shards = shards
        self.watch = Watch(places.postgres_url)
        fronts = [
            Front(name=name, address=all_replicas.target(name)) for name in all_replicas.by_service
        ]
        self.cluster = Cluster(fronts, {}, places.directory)
        self._postgres = postgres
        self._at_work = 0

    @property
    def postgres(self) -> PostgresServer:
        """The Postgres, where it is this scene's own and may be ended."""
        assert self._postgres is not None, "this Postgres is shared with other tests"
        return self._postgres

    @property
    def alone(self) -> bool:
        """Whether just one fault is at work now."""
        return self._at_work == 1

    @contextmanager
    def told(self, what: str, kind: str) -> Iterator[Happened]:
        """Write a fault into the diary while it is at work."""
        self._at_work += 1
        happened = Happened(what=what, kind=kind, began=now(), alone=self.alone)
        self.diary.append(happened)
        try:
            yield happened
        finally:
            happened.ended = now()
            self._at_work -= 1

    @contextmanager
    def without_redis(self) -> Iterator[None]:
        """Write down from when to when nobody could reach Redis."""
        happened = Happened(what="Redis away", kind="", began=now(), alone=self.alone)
        self.redis_away.append(happened)
        try:
            yield
        finally:
            happened.ended = now()

    async def owner(self, service: str, chance: random.Random) -> Replica:
        """One of the running replicas of a service that own shards; of ingest, any that runs."""
        running = self.replicas.running(service)
        assert running, f"no {service} runs"
        if service != "ingest":
            with suppress(*AWAY):
                owning = await self.watch.owners(service)
                running = [one for one in running if one.service.pid in owning] or running
        return chance.choice(running)

    def logs(self, service: str) -> list[LogReader]:
        """Readers of what every replica of a service logs from now on."""
        return [LogReader(one.service.log) for one in self.replicas.by_service[service]]


@asynccontextmanager
async def scene(
    places: Places,
    *,
    slots: Mapping[str, int],
    started: int,
    redis: ValkeyServer,
    sink: MailSink,
    postgres: PostgresServer | None = None,
    shards: int = 64,
) -> AsyncIterator[Scene]:
    """Start so many replicas of each service, of those that there are slots for; end them all."""
    made = await replicas.make(places, slots, {"HAIRSPRING_SHARDS": str(shards)})
    running = Scene(places, made, redis=redis, postgres=postgres, sink=sink, shards=shards)
    keeping = [asyncio.create_task(one.keep(), name=f"keep-{one.name}") for one in made.all()]
    try:
        first = [one for group in made.by_service.values() for one in group[:started]]
        await asyncio.gather(*(one.start() for one in first))
        yield running
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        await running.cluster.close()
        await running.watch.close()
        await made.end()
