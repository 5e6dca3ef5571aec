"""Everything on one machine: the bundled servers, a sink for mail, and the three services."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hairspring.cli import own_keys
from hairspring.cli.own_keys import OwnKeys
from hairspring.cli.service_process import ServiceProcess, Tell, inherited_environment
from hairspring.embedded.errors import EmbeddedError, ServerAway
from hairspring.embedded.locks import locked, prepare
from hairspring.embedded.mail import MailSink, mail_sink
from hairspring.embedded.ports import LOOPBACK, free_port, is_free, require_free
from hairspring.embedded.postgres import PostgresServer, postgres
from hairspring.embedded.valkey import ValkeyServer, valkey
from hairspring.timers import QueueUnavailable
from hairspring.timers.redis import RedisDelayQueue

COLLECTOR = "collector"
USUAL_PORTS = {COLLECTOR: 7300, "ingest": 7301, "evaluator": 7302, "delivery": 7303}
_MODULES = {"ingest": "ingest", "evaluator": "rule_evaluator", "delivery": "delivery"}
_HTTP = "HAIRSPRING_INGEST_HTTP"
_SERVICE_TOKEN = "HAIRSPRING_SERVICE_TOKEN"
_SENDER = "Hairspring <hairspring@localhost>"
_RESTART_PAUSE = 1.0
_PROBE_MS = 3_000
_BACKLOG = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to run, and where. A port of 0 is any free one; one that is left out, the usual one."""

    data: Path
    ports: Mapping[str, int] = field(default_factory=dict)
    #: Whether commits survive a power cut; a demonstration does without.
    durable: bool = True
    #: Never uses a mail server that a setting names: mails are only written to files.
    sink_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What runs: its addresses as host:port, and where it writes."""

    data: Path
    ingest: str
    evaluator: str
    delivery: str
    #: Where SDKs send to, as a URL.
    collector: str
    logs: Path
    #: Where mails are written, None where HAIRSPRING_SMTP_URL names a mail server.
    mails: Path | None
    sink: MailSink | None
    #: The ports of the bundled servers, by name.
    servers: Mapping[str, int]
    #: The processes, by the name of the service.
    services: Mapping[str, ServiceProcess]
    keys: OwnKeys


@asynccontextmanager
async def run_stack(options: Options, tell: Tell) -> AsyncIterator[Stack]:
    """Run everything until the block ends; what dies within is told and started again.

    Raises `EmbeddedError` where something cannot start: a directory in use, a port that is taken,
    a service that gives up.
    """
    async with AsyncExitStack() as stack:
        data = stack.enter_context(locked(options.data.absolute()))
        ports = _choose_ports(options.ports)
        environment, servers, sink = await _enter_servers(stack, options, data, tell)
        environment |= _addresses(ports)
        # Ours, so that what SDKs send while ingest is started again waits, and is not refused.
        collector = stack.enter_context(
            socket.create_server((LOOPBACK, ports[COLLECTOR]), backlog=_BACKLOG)
        )
        environment[_HTTP] = f"fd:{collector.fileno()}"
        keys = _begin_keys(data, environment)
        services = {
            name: ServiceProcess(
                module,
                environment=environment,
                logs=prepare(data / "logs"),
                run_directory=prepare(data / "run"),
                pass_fds=(collector.fileno(),) if name == "ingest" else (),
            )
            for name, module in _MODULES.items()
        }
        stack.push_async_callback(_stop_all, services)
        await _start_all(services)
        if keys.service_token:
            keys = await own_keys.complete(data, keys, services["ingest"].address)
        for name, service in services.items():
            _keep(stack, f"keep-{name}", partial(service.keep, tell))
        yield Stack(
            data=data,
            ingest=services["ingest"].address,
            evaluator=services["evaluator"].address,
            delivery=services["delivery"].address,
            collector=f"http://{LOOPBACK}:{ports[COLLECTOR]}",
            logs=data / "logs",
            mails=data / "mails" if sink else None,
            sink=sink,
            servers=servers,
            services=services,
            keys=keys,
        )


def _begin_keys(data: Path, environment: dict[str, str]) -> OwnKeys:
    """Give the services their token, unless a setting says that there are no keys."""
    if environment.get("HAIRSPRING_AUTH") == "off":
        return OwnKeys()
    keys = own_keys.begin(data, environment.get(_SERVICE_TOKEN, ""))
    environment[_SERVICE_TOKEN] = environment.get(_SERVICE_TOKEN) or keys.service_token
    return keys


async def _enter_servers(
    stack: AsyncExitStack, options: Options, data: Path, tell: Tell
) -> tuple[dict[str, str], dict[str, int], MailSink | None]:
    """Start what no URL names; returns the services' environment, the ports, and the sink."""
    environment = inherited_environment()
    environment["HAIRSPRING_LOG_FORMAT"] = "json"
    environment.setdefault("HAIRSPRING_DRAIN_SECONDS", "3")
    environment.setdefault("HAIRSPRING_MAIL_FROM", _SENDER)
    servers: dict[str, int] = {}
    sink = None
    if not environment.get("HAIRSPRING_POSTGRES_URL"):
        database = await stack.enter_async_context(
            postgres(data / "postgres", fsync=options.durable)
        )
        environment["HAIRSPRING_POSTGRES_URL"] = database.url
        servers["Postgres"] = database.port
        _keep(stack, "keep-postgres", partial(_keep_server, "Postgres", database, tell))
    if redis_url := environment.get("HAIRSPRING_REDIS_URL"):
        await _require_redis(redis_url)
    else:
        timers = await stack.enter_async_context(valkey(data / "valkey"))
        environment["HAIRSPRING_REDIS_URL"] = timers.url
        servers["Valkey"] = timers.port
        _keep(stack, "keep-valkey", partial(_keep_server, "Valkey", timers, tell))
    if options.sink_only or not environment.get("HAIRSPRING_SMTP_URL"):
        sink = await stack.enter_async_context(mail_sink(prepare(data / "mails")))
        environment["HAIRSPRING_SMTP_URL"] = sink.url
        servers["mail sink"] = sink.port
    return environment, servers, sink


async def _require_redis(url: str) -> None:
    """Raise `ServerAway` for a Redis that does not answer.

    Services start without it, as Postgres has all timers; whoever has just typed a URL wants to
    know. One that cannot be read is told by the services.
    """
    try:
        async with RedisDelayQueue.open(url, "hairspring:probe", timeout_ms=_PROBE_MS) as queue:
            await queue.ping()
    except QueueUnavailable as error:
        raise ServerAway(str(error), "HAIRSPRING_REDIS_URL") from error
    except ValueError:
        return


async def _start_all(services: Mapping[str, ServiceProcess]) -> None:
    """Start all services at once: each waits by itself for the one before it."""
    starts = [asyncio.create_task(s.start(), name=f"start-{n}") for n, s in services.items()]
    try:
        await asyncio.gather(*starts)
    finally:
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)


async def _stop_all(services: Mapping[str, ServiceProcess]) -> None:
    await asyncio.gather(*(service.stop() for service in services.values()))


def _keep(stack: AsyncExitStack, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a watch over something until the stack is left."""
    task = asyncio.create_task(work(), name=name)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


async def _keep_server(name: str, server: PostgresServer | ValkeyServer, tell: Tell) -> None:
    """Start a bundled server again whenever it ends by itself."""
    while True:
        await server.wait()
        tell(f"{name} ended; it is started again")
        while True:
            await asyncio.sleep(_RESTART_PAUSE)
            try:
                await server.start()
            except EmbeddedError as error:
                tell(f"{name} does not start: {error}")
                continue
            break


def _choose_ports(asked: Mapping[str, int]) -> dict[str, int]:
    """Settle the ports before anything starts; raises `PortTaken` for one that was asked for."""
    chosen: dict[str, int] = {}
    for name, usual in USUAL_PORTS.items():
        port = asked.get(name)
        if port is None:
            chosen[name] = usual if is_free(usual) else free_port()
        else:
            chosen[name] = require_free(port) if port else free_port()
    return chosen


def _addresses(ports: Mapping[str, int]) -> dict[str, str]:
    """Tell the services where to listen, and where the others are."""
    return {
        f"HAIRSPRING_{name.upper()}_{what}": f"{LOOPBACK}:{ports[name]}"
        for name in _MODULES
        for what in ("LISTEN", "ADDRESS")
    }
