"""Delivery as it runs, in this process or in one of its own, beside its peers."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio
from hairspring.contracts.flow.v1 import flow_service_pb2, flow_service_pb2_grpc, run_pb2
from hairspring.contracts.message.v1 import (
    message_pb2,
    message_service_pb2,
    message_service_pb2_grpc,
)
from hairspring.embedded.mail import MailSink
from hairspring.runtime.client import open_channel
from hairspring.runtime.server import serve
from hairspring.runtime.tasks import Supervisor
from hairspring.services.delivery.__main__ import COMMIT_SECONDS
from hairspring.services.delivery.app import App, build
from hairspring.services.delivery.config import DeliverySettings

from tests.integration.delivery.peers import SHARDS, Peers, run_peers
from tests.integration.delivery.processes import DeliveryProcess

CART_MAIL = {
    "name": "cart-recovery",
    "channel": "email",
    "subject": "{{ profile.name | default: 'Hello' }}, your cart is waiting",
    "html": "<p>Dear {{ profile.name }}</p><ul>"
    "{% for line in cart %}<li>{{ line.quantity }} x {{ line.name }}: "
    "{{ line.price | money: 'EUR' }}</li>{% endfor %}</ul>"
    "<p>Total {{ cart_total | money: currency }}</p>",
    "text": "",
}
PLAIN_MAIL = {
    "name": "plain",
    "channel": "email",
    "subject": "Still there, {{ profile.name }}?",
    "html": "<p>Hello {{ profile.name }}</p>",
    "text": "",
}


def flow(*steps: dict[str, Any], name: str = "recovery", cooldown: int | None = None) -> Any:
    """Write the canonical body of a flow on cart-abandoners."""
    reentry = None if cooldown is None else {"cooldown": cooldown}
    return {
        "name": name,
        "trigger": {"entered": "cart-abandoners"},
        "reentry": reentry,
        "steps": list(steps),
    }


def send(template: str = "plain") -> dict[str, Any]:
    """Write a send step."""
    return {"send": {"template": template, "channel": "email"}}


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A running delivery, and what it tells of its runs and messages."""

    address: str
    app: App | None = None

    async def messages(self, **filters: Any) -> list[message_pb2.Message]:
        """List the messages, the latest first."""
        async with open_channel(self.address) as channel:
            stub = message_service_pb2_grpc.MessageServiceStub(channel)
            response = await stub.ListMessages(
                message_service_pb2.ListMessagesRequest(**filters), timeout=5
            )
            return list(response.messages)

    async def runs(self, **filters: Any) -> list[run_pb2.Run]:
        """List the runs, the latest first."""
        async with open_channel(self.address) as channel:
            stub = flow_service_pb2_grpc.FlowServiceStub(channel)
            response = await stub.ListRuns(flow_service_pb2.ListRunsRequest(**filters), timeout=5)
            return list(response.runs)


Start = Callable[[], AbstractAsyncContextManager[Delivery]]


@pytest_asyncio.fixture
async def peers() -> AsyncIterator[Peers]:
    """The evaluator and ingest, served from lists."""
    async with run_peers() as served:
        yield served


@pytest_asyncio.fixture
async def settings(
    database_url: str, redis_url: str, mail_sink: MailSink, peers: Peers
) -> DeliverySettings:
    """Settings that lead to this test's servers."""
    return DeliverySettings(
        postgres_url=database_url,
        redis_url=redis_url,
        smtp_url=mail_sink.url,
        mail_from="Shop <shop@example.com>",
        evaluator_address=peers.address,
        ingest_address=peers.address,
        delivery_listen="127.0.0.1:0",
        auth="off",
        shards=SHARDS,
        drain_seconds=2,
    )


@asynccontextmanager
async def run_delivery(settings: DeliverySettings) -> AsyncIterator[Delivery]:
    """Run delivery until the end of the block; it then ends gracefully."""
    async with (
        build(settings) as app,
        Supervisor() as tasks,
        serve("delivery", settings.delivery_listen, app.register, access=app.access) as server,
    ):
        # As the process does it, which asks again where a cancellation is lost on the way.
        patience = settings.drain_seconds + COMMIT_SECONDS
        tasks.start("delivery-replica", app.replica.run, patience=patience)
        yield Delivery(app=app, address=server.address)


@pytest_asyncio.fixture
async def start(settings: DeliverySettings) -> Start:
    """Start delivery, as often as a test likes."""
    return lambda: run_delivery(settings)


@pytest_asyncio.fixture
async def delivery(start: Start) -> AsyncIterator[Delivery]:
    """A running delivery."""
    async with start() as running:
        yield running


@pytest_asyncio.fixture
async def process(settings: DeliverySettings, tmp_path: Path) -> AsyncIterator[DeliveryProcess]:
    """Delivery as a process that is yet to be started; it is killed in the end."""
    running = DeliveryProcess(settings, tmp_path)
    try:
        yield running
    finally:
        running.hit(signal.SIGKILL)
