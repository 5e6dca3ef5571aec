"""A small shop on all three services, and what tests ask of it about single profiles."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hairspring.contracts.event.v1 import event_service_pb2
from hairspring.contracts.privacy.v1 import privacy_service_pb2 as pb
from hairspring.contracts.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from hairspring.embedded.mail import MailSink
from hairspring.runtime.client import open_channel

from tests.support.cluster import Cluster, cluster

SHOP = """\
kind: Segment
name: buyers
enter: {performed: {event: Order Completed}}
---
kind: Segment
name: cart-abandoners
enter: {abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1h}}
---
kind: Flow
name: thanks
trigger: {entered: buyers}
steps:
  - send: {template: thanks}
---
kind: Template
name: thanks
channel: email
subject: Thank you, {{ profile.name }}
html: <p>Thank you.</p>
"""


@asynccontextmanager
async def open_shop(
    directory: Path, database_url: str, redis_url: str, mail_sink: MailSink, **settings: str
) -> AsyncIterator[Cluster]:
    """Run the services with the shop's definitions in force."""
    async with cluster(
        directory, database_url, redis_url, smtp_url=mail_sink.url, **settings
    ) as running:
        assert await running.apply(SHOP) == []
        yield running


async def identify(shop: Cluster, profile: str, **traits: str) -> None:
    """Set traits."""
    await shop.events.IdentifyProfile(
        event_service_pb2.IdentifyProfileRequest(
            profile_id=profile, traits_json=json.dumps(traits).encode()
        )
    )


async def export(shop: Cluster, profile: str, service: str = "delivery") -> list[dict[str, Any]]:
    """Export a profile, as lines."""
    written = b""
    async with open_channel(shop.services[service].address) as channel:
        request = pb.ExportProfileRequest(profile_id=profile)
        async for part in PrivacyServiceStub(channel).ExportProfile(request, timeout=60):
            assert part.lines.endswith(b"\n")
            written += part.lines
    return [json.loads(line) for line in written.splitlines()]
