"""Two deliveries on one database: they share the work, and every mail goes out once."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

import asyncpg
from hairspring.contracts.message.v1 import message_pb2
from hairspring.embedded.mail import MailSink
from hairspring.runtime.clock import now_ms

from tests.integration.delivery.conftest import PLAIN_MAIL, Delivery, Start, flow, send
from tests.integration.delivery.peers import Peers
from tests.integration.delivery.processes import DeliveryProcess
from tests.support.waiting import eventually

SENT = message_pb2.MESSAGE_STATUS_SENT
PEOPLE = 150


async def owners(url: str) -> list[int]:
    """How many shards each owner has; those of nobody count as one owner's."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT coalesce(replica_id, '') AS owner FROM delivery.shards")
    await connection.close()
    return sorted(Counter(row["owner"] for row in rows).values())


async def enter(peers: Peers, part: int) -> None:
    """Have a third of the people enter the segment."""
    for number in range(part, PEOPLE, 3):
        await peers.enter(f"p{number}", now_ms())
        await asyncio.sleep(0)


async def test_two_replicas_send_every_mail_once(
    process: DeliveryProcess, start: Start, peers: Peers, mail_sink: MailSink, database_url: str
) -> None:
    """A second comes amid the work and takes half; the first is told to end; no mail is doubled."""
    peers.define(1, flow({"wait": 300}, send()), PLAIN_MAIL)
    peers.traits |= {f"p{n}": {"email": f"p{n}@example.com"} for n in range(PEOPLE)}
    await process.start()
    await enter(peers, 0)
    async with start() as second:

        async def halves() -> bool:
            return await owners(database_url) == [4, 4]

        await eventually(halves, timeout=30)
        await enter(peers, 1)
        await eventually(lambda: mail_sink.accepted >= PEOPLE // 2, timeout=30)
        await enter(peers, 2)
        assert await process.end(signal.SIGTERM) == 0
        await check(second, mail_sink)


async def check(running: Delivery, mail_sink: MailSink) -> None:
    """Everybody has one mail, and each message is told as sent."""

    async def all_sent() -> bool:
        return len(await running.messages(status=SENT, page_size=1_000)) == PEOPLE

    await eventually(all_sent, timeout=60, every=0.1)
    recipients = Counter(sunk.recipients[0] for sunk in mail_sink.messages)
    assert recipients == {f"p{number}@example.com": 1 for number in range(PEOPLE)}
