"""A small shop on all three services, and what tests ask of it about single profiles."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg
from hairspring.contracts.event.v1 import event_service_pb2
from hairspring.contracts.privacy.v1 import privacy_pb2
from hairspring.contracts.privacy.v1 import privacy_service_pb2 as pb
from hairspring.contracts.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from hairspring.embedded.mail import MailSink
from hairspring.runtime.client import open_channel
from redis.asyncio import Redis

from tests.support.cluster import TOKEN, Cluster, cluster
from tests.support.waiting import eventually

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


class Shop(Cluster):
    """The services, and what they keep where."""

    database_url: str
    redis_url: str

    async def rows_naming(self, profile: str) -> dict[str, int]:
        """Count the rows of all tables that name somebody in any column, by table."""
        connection = await asyncpg.connect(self.database_url)
        try:
            tables = await connection.fetch(
                "SELECT schemaname AS s, tablename AS t FROM pg_tables"
                " WHERE schemaname IN ('ingest', 'rule_evaluator', 'delivery')"
                " AND tablename !~ '_[0-9]{16}$'"
            )
            names = [f"{table['s']}.{table['t']}" for table in tables]
            counts = {
                name: await connection.fetchval(
                    f"SELECT count(*) FROM {name} AS row"
                    " WHERE row::text LIKE '%' || $1 || '%'"
                    " OR row::text LIKE '%' || encode(convert_to($1, 'UTF8'), 'hex') || '%'",
                    profile,
                )
                for name in names
            }
            return {name: count for name, count in counts.items() if count}
        finally:
            await connection.close()

    async def timers_naming(self, profile: str) -> int:
        """Count the timers in Redis that name somebody."""
        found = 0
        async with Redis.from_url(self.redis_url) as redis:
            async for key in redis.scan_iter():
                if await redis.type(key) == b"zset":
                    members = await redis.zrange(key, 0, -1)
                    found += sum(profile.encode() in member for member in members)
        return found


@asynccontextmanager
async def open_shop(
    directory: Path, database_url: str, redis_url: str, mail_sink: MailSink, **settings: str
) -> AsyncIterator[Shop]:
    """Run the services with the shop's definitions in force."""
    async with cluster(
        directory, database_url, redis_url, smtp_url=mail_sink.url, make=Shop, **settings
    ) as running:
        assert isinstance(running, Shop)
        running.database_url, running.redis_url = database_url, redis_url
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
    async with open_channel(shop.services[service].address, TOKEN) as channel:
        request = pb.ExportProfileRequest(profile_id=profile)
        async for part in PrivacyServiceStub(channel).ExportProfile(request, timeout=60):
            assert part.lines.endswith(b"\n")
            written += part.lines
    return [json.loads(line) for line in written.splitlines()]


async def delete(shop: Cluster, profile: str, service: str = "delivery", **fields: str) -> Any:
    """Delete a profile, and answer the deletion as it stands then."""
    async with open_channel(shop.services[service].address, TOKEN) as channel:
        request = pb.DeleteProfileRequest(profile_id=profile, **fields)
        return (await PrivacyServiceStub(channel).DeleteProfile(request, timeout=30)).deletion


async def receipt_of(shop: Cluster, deletion_id: str) -> privacy_pb2.Deletion:
    """Read the receipt of a deletion."""
    async with open_channel(shop.services["delivery"].address, TOKEN) as channel:
        request = pb.GetDeletionRequest(deletion_id=deletion_id)
        answer = await PrivacyServiceStub(channel).GetDeletion(request, timeout=30)
        found: privacy_pb2.Deletion = answer.deletion
        return found


async def until_done(shop: Cluster, deletion_id: str) -> privacy_pb2.Deletion:
    """Wait until all services are done with a deletion, for a minute at most."""

    async def look() -> privacy_pb2.Deletion | None:
        found = await receipt_of(shop, deletion_id)
        finished = [part.state == privacy_pb2.DELETION_STATE_DONE for part in found.parts]
        return found if all(finished) and len(finished) == 3 else None

    return cast(privacy_pb2.Deletion, await eventually(look, timeout=60, every=0.1))


async def deleted(shop: Cluster, profile: str) -> privacy_pb2.Deletion:
    """Delete a profile, wait until all services are done, and answer the receipt."""
    return await until_done(shop, (await delete(shop, profile)).deletion_id)
