"""Replicas of the services, each behind proxies and clocks of its own, kept alive as wanted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hairspring.embedded.ports import LOOPBACK

from tests.support.clocks import SettableClock
from tests.support.cluster import TOKEN, Service
from tests.support.proxy import Proxy

#: What a replica of a service connects to.
LINKS: Mapping[str, tuple[str, ...]] = {
    "ingest": ("postgres",),
    "rule_evaluator": ("postgres", "redis", "ingest"),
    "delivery": ("postgres", "redis", "ingest", "rule_evaluator"),
}
_SETTINGS = {"ingest": "INGEST", "rule_evaluator": "EVALUATOR", "delivery": "DELIVERY"}
_LOOK_SECONDS = 0.1
_START_SECONDS = 90.0


class Replica:
    """One process of a service, and everything by which it can be disturbed."""

    def __init__(self, service: Service, links: dict[str, list[Proxy]], clock: SettableClock):
        self.service = service
        self.links = links
        self.clock = clock
        self.wanted = False  #: Whether it is to run; one that ended by itself is started again.
        self.ended_by_itself = 0
        self._busy = asyncio.Lock()

    @property
    def name(self) -> str:
        """The name of its service, and its number."""
        return self.service.log.stem

    @property
    def runs(self) -> bool:
        """Whether it is to run, and does."""
        return self.wanted and self.service.running

    async def start(self) -> None:
        """Start it and wait until it is ready, however often that takes while servers are away."""
        self.wanted = True
        async with self._busy, asyncio.timeout(_START_SECONDS):
            while not (self.service.running and self.service.ready):
                if not self.service.running:
                    await self.service.spawn()
                await asyncio.sleep(_LOOK_SECONDS)

    async def kill(self) -> None:
        """End it by SIGKILL, and leave it so."""
        self.wanted = False
        async with self._busy:
            await self.service.kill()

    async def stop(self) -> int:
        """End it by SIGTERM, and leave it so; answers its exit code."""
        self.wanted = False
        async with self._busy:
            return await self.service.stop()

    async def keep(self) -> None:
        """Start it again whenever it has ended by itself, as a supervisor of services does."""
        while True:
            if self.wanted and not self.service.running and not self._busy.locked():
                self.ended_by_itself += 1
                await self.start()
            await asyncio.sleep(_LOOK_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the servers are that everybody shares."""

    directory: Path
    postgres_url: str
    redis_url: str
    smtp_url: str


async def make(places: Places, slots: Mapping[str, int], settings: Mapping[str, str]) -> Replicas:
    """Make replicas, so many of each service, with their proxies listening; none is started."""
    made = {
        name: [
            Service(name, {}, places.directory, label=f"{name}-{number + 1}")
            for number in range(count)
        ]
        for name, count in slots.items()
    }
    ports = {name: [service.port for service in services] for name, services in made.items()}
    ports["postgres"] = [urlsplit(places.postgres_url).port or 5432]
    ports["redis"] = [urlsplit(places.redis_url).port or 6379]
    replicas = Replicas()
    for name, services in made.items():
        replicas.by_service[name] = []
        for service in services:
            links = {link: [Proxy(port) for port in ports.get(link, [])] for link in LINKS[name]}
            clock = SettableClock(places.directory / f"{service.log.stem}.clock")
            service.configure(_environment(places, links) | clock.environment | dict(settings))
            replicas.by_service[name].append(Replica(service, links, clock))
    for proxy in replicas.proxies():
        await proxy.start()
    return replicas


class Replicas:
    """All replicas there are, by service."""

    def __init__(self) -> None:
        self.by_service: dict[str, list[Replica]] = {}

    def all(self) -> list[Replica]:
        """Every replica, of whatever service."""
        return [replica for group in self.by_service.values() for replica in group]

    def proxies(self) -> list[Proxy]:
        """Every proxy of every replica."""
        links = [link for replica in self.all() for link in replica.links.values()]
        return [proxy for link in links for proxy in link]

    def running(self, service: str) -> list[Replica]:
        """The replicas of a service that run."""
        return [replica for replica in self.by_service[service] if replica.runs]

    def target(self, service: str) -> str:
        """All replicas of a service as one target of gRPC, past the proxies."""
        return target([replica.service.port for replica in self.by_service[service]])

    def heal(self) -> None:
        """Have everything that was disturbed but not ended work again."""
        for replica in self.all():
            replica.clock.go_right()
            if replica.service.running:
                replica.service.wake()
        for proxy in self.proxies():
            proxy.let_flow()

    async def end(self) -> None:
        """End every process, and then the proxies."""
        self.heal()
        ending = [replica.stop() for replica in self.all()]
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.gather(*(replica.kill() for replica in self.all()))
        for proxy in self.proxies():
            await proxy.stop()


def target(ports: list[int]) -> str:
    """Name these ports of this machine as one target of gRPC."""
    return "ipv4:" + ",".join(f"{LOOPBACK}:{port}" for port in ports)


def _environment(places: Places, links: Mapping[str, list[Proxy]]) -> dict[str, str]:
    """What a replica is told: everything it connects to is behind a proxy of its own."""
    ports = {link: [proxy.port for proxy in proxies] for link, proxies in links.items()}
    found = {
        "HAIRSPRING_POSTGRES_URL": _moved(places.postgres_url, ports["postgres"][0]),
        "HAIRSPRING_SMTP_URL": places.smtp_url,
        "HAIRSPRING_MAIL_FROM": "shop@example.com",
        "HAIRSPRING_SERVICE_TOKEN": TOKEN,
    }
    if "redis" in ports:
        found["HAIRSPRING_REDIS_URL"] = _moved(places.redis_url, ports["redis"][0])
    for name in ports.keys() & _SETTINGS.keys():
        found[f"HAIRSPRING_{_SETTINGS[name]}_ADDRESS"] = target(ports[name])
    return found


def _moved(url: str, port: int) -> str:
    """The same URL, with another port."""
    parts = urlsplit(url)
    return parts._replace(netloc=re.sub(r":\d+$", f":{port}", parts.netloc)).geturl()
