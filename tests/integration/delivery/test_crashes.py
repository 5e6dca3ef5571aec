"""What happens when delivery, Redis or a replica dies at the worst moment."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hairspring.contracts.flow.v1 import run_pb2
from hairspring.contracts.message.v1 import message_pb2
from hairspring.embedded.mail import MailSink
from hairspring.embedded.valkey import ValkeyServer
from hairspring.runtime.clock import now_ms
from hairspring.services.delivery.config import DeliverySettings
from redis.asyncio import Redis

from tests.integration.delivery.conftest import (
    PLAIN_MAIL,
    Delivery,
    Start,
    flow,
    run_delivery,
    send,
)
from tests.integration.delivery.peers import Peers
from tests.integration.delivery.processes import DeliveryProcess, run_to_end
from tests.support.waiting import eventually

SENT = message_pb2.MESSAGE_STATUS_SENT
UNKNOWN = message_pb2.MESSAGE_STATUS_UNKNOWN


async def test_a_mail_in_the_hands_of_the_server_is_not_sent_again(
    process: DeliveryProcess, peers: Peers, mail_sink: MailSink
) -> None:
    """Killed before it heard the answer, delivery says unknown, and the run goes on."""
    peers.define(1, flow(send(), {"wait": 100}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await process.start()

    handed: list[tuple[str, ...]] = []

    def kill(sender: str, recipients: tuple[str, ...]) -> str | None:
        handed.append(recipients)
        if len(handed) == 1:
            process.hit(signal.SIGKILL)
        return None

    mail_sink.answer = kill
    await peers.enter("ada", now_ms())
    await eventually(lambda: handed)
    await process.end(signal.SIGKILL)
    running = Delivery(address=await process.start())

    async def over() -> list[message_pb2.Message]:
        messages = await running.messages()
        assert [message.status for message in messages] == [SENT, UNKNOWN]
        return messages

    second, first = await eventually(over)
    assert (first.step, second.step) == (0, 2)
    assert "delivery stopped" in first.reason
    # The server may drop what came on a connection that has gone, so what it was handed counts.
    assert len(handed) == 2


async def test_killed_again_and_again_it_sends_no_mail_twice(
    process: DeliveryProcess, peers: Peers, mail_sink: MailSink
) -> None:
    """Five kills among three hundred mails: none twice, none forgotten."""
    names = [f"p{number}" for number in range(300)]
    peers.define(1, flow({"wait": 20}, send()), PLAIN_MAIL)
    peers.traits |= {name: {"email": f"{name}@example.com"} for name in names}

    async def feed() -> None:
        for name in names:
            await peers.enter(name, now_ms())
            await asyncio.sleep(0.005)

    feeding = asyncio.create_task(feed(), name="feeding")
    for round_number in range(1, 6):
        await process.start()
        await eventually(
            lambda least=round_number * 40: mail_sink.accepted >= least, timeout=30, every=0.001
        )
        await process.end(signal.SIGKILL)
    await feeding
    running = Delivery(address=await process.start())

    async def all_ended() -> bool:
        ended = await running.runs(status=run_pb2.RUN_STATUS_ENDED, page_size=1000)
        return len(ended) == 300

    await eventually(all_ended, timeout=30)
    statuses = Counter(one.status for one in await running.messages(page_size=1000))
    recipients = Counter(mail.recipients[0] for mail in mail_sink.messages)
    assert statuses[SENT] + statuses[UNKNOWN] == 300
    assert max(recipients.values()) == 1
    assert statuses[SENT] <= mail_sink.accepted <= 300
    assert statuses[UNKNOWN] <= 5 * 8


async def test_sigterm_finishes_what_is_in_hand(
    process: DeliveryProcess, peers: Peers, mail_sink: MailSink
) -> None:
    """Ended gracefully in the middle of many mails, delivery leaves none unknown."""
    names = [f"p{number}" for number in range(200)]
    peers.define(1, flow(send()), PLAIN_MAIL)
    peers.traits |= {name: {"email": f"{name}@example.com"} for name in names}
    await process.start()
    for name in names:
        await peers.enter(name, now_ms())
    await eventually(lambda: mail_sink.accepted >= 20, every=0.001)

    assert await process.end(signal.SIGTERM) == 0

    running = Delivery(address=await process.start())
    await eventually(lambda: mail_sink.accepted >= 200, timeout=30)

    async def all_sent() -> bool:
        return len(await running.messages(status=SENT, page_size=1000)) == 200

    await eventually(all_sent)
    assert mail_sink.accepted == 200


async def test_sigterm_waits_for_a_slow_mail_server(
    process: DeliveryProcess, peers: Peers, mail_sink: MailSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail whose server takes its time while delivery ends is known to have been sent."""
    handing_over = asyncio.Event()
    take = mail_sink.handle_DATA

    async def take_slowly(*arguments: Any) -> str:
        handing_over.set()
        await asyncio.sleep(1.5)  # longer than loops without anything in hand may take to end
        return await take(*arguments)

    monkeypatch.setattr(mail_sink, "handle_DATA", take_slowly)
    peers.define(1, flow(send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await process.start()
    await peers.enter("ada", now_ms())
    async with asyncio.timeout(30):
        await handing_over.wait()

    assert await process.end(signal.SIGTERM) == 0

    running = Delivery(address=await process.start())
    [message] = await running.messages()
    assert (message.status, message.attempts) == (SENT, 1)
    assert mail_sink.accepted == 1


async def test_a_second_replica_takes_over_from_a_killed_one(
    process: DeliveryProcess,
    start: Start,
    peers: Peers,
    mail_sink: MailSink,
) -> None:
    """A replica that stands by goes on where the other was killed, within seconds."""
    peers.define(1, flow({"wait": 1_000}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await process.start()
    async with start() as second:
        await peers.enter("ada", now_ms())
        await eventually(lambda: second.runs(status=run_pb2.RUN_STATUS_ACTIVE))
        await process.end(signal.SIGKILL)

        await eventually(lambda: mail_sink.messages, timeout=15)
        await eventually(lambda: second.messages(status=SENT))
    assert mail_sink.accepted == 1


async def test_a_paused_owner_sends_nothing_more(
    process: DeliveryProcess, peers: Peers, mail_sink: MailSink, settings: DeliverySettings
) -> None:
    """An owner that slept through its lease finds itself fenced when it wakes up."""
    peers.define(1, flow({"wait": 300}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await process.start()
    peers.check_gate = asyncio.Event()
    await peers.enter("ada", now_ms())
    await eventually(lambda: peers.checks == 1)
    process.hit(signal.SIGSTOP)
    peers.check_gate.set()

    async with run_delivery(settings) as second:
        await eventually(lambda: mail_sink.messages, timeout=30)
        await eventually(lambda: second.messages(status=SENT))
        process.hit(signal.SIGCONT)
        await eventually(lambda: "another owner" in process.log, timeout=20)
    assert mail_sink.accepted == 1


async def test_waits_that_redis_forgot_are_rebuilt(
    delivery: Delivery, peers: Peers, mail_sink: MailSink, redis_url: str
) -> None:
    """After a FLUSHALL the wait ends as if nothing had been."""
    now = now_ms()
    peers.define(1, flow({"wait": 2_500}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await peers.enter("ada", now)
    await eventually(lambda: delivery.runs(status=run_pb2.RUN_STATUS_ACTIVE))
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()

    await eventually(lambda: mail_sink.messages)

    [message] = await eventually(lambda: delivery.messages(status=SENT))
    assert message.send_time.ToMilliseconds() - now < 4_500


async def test_while_redis_is_away_waits_end_by_postgres(
    settings: DeliverySettings,
    valkey_server: ValkeyServer,
    peers: Peers,
    mail_sink: MailSink,
) -> None:
    """Without Redis mails go out a few seconds late, and with it again in time."""
    peers.define(1, flow({"wait": 500}, send()), PLAIN_MAIL)
    peers.traits |= {name: {"email": f"{name}@example.com"} for name in ("ada", "bob")}
    told = settings.model_copy(update={"redis_url": valkey_server.url})
    async with run_delivery(told) as running:
        await peers.enter("ada", now_ms())
        await eventually(lambda: running.runs(status=run_pb2.RUN_STATUS_ACTIVE))
        await valkey_server.kill()

        await eventually(lambda: mail_sink.accepted == 1, timeout=15)
        await valkey_server.start()
        await peers.enter("bob", now_ms())
        await eventually(lambda: mail_sink.accepted == 2, timeout=15)
        await eventually(lambda: running.runs(profile_id="bob", status=run_pb2.RUN_STATUS_ENDED))
    assert mail_sink.accepted == 2


async def test_it_resumes_where_it_committed(
    start: Start, peers: Peers, mail_sink: MailSink, database_url: str
) -> None:
    """A new start reads no record twice and misses none."""
    peers.define(1, flow(send()), PLAIN_MAIL)
    peers.traits |= {name: {"email": f"{name}@example.com"} for name in ("ada", "bob")}
    async with start() as first:
        await peers.enter("ada", now_ms())
        await eventually(lambda: first.messages(status=SENT))
    connection = await asyncpg.connect(database_url)
    positions = await connection.fetch("SELECT DISTINCT position FROM delivery.shards")
    await connection.close()
    await peers.enter("bob", now_ms())
    async with start() as second:
        await eventually(lambda: second.messages(status=SENT, profile_id="bob"))

    assert [row["position"] for row in positions] == [1]
    assert mail_sink.accepted == 2


async def test_it_is_idle_when_there_is_nothing_to_do(
    process: DeliveryProcess, peers: Peers, mail_sink: MailSink
) -> None:
    """A delivery that waits for a far-off wait burns next to no CPU."""
    peers.define(1, flow({"wait": 3_600_000}, send()), PLAIN_MAIL)
    running = Delivery(address=await process.start())
    await peers.enter("ada", now_ms())
    await eventually(lambda: running.runs(status=run_pb2.RUN_STATUS_ACTIVE))

    began, used = time.monotonic(), _cpu_seconds(process.pid)
    await asyncio.sleep(6)  # what it takes is measured over this long, at the grain of 10 ms
    share = (_cpu_seconds(process.pid) - used) / (time.monotonic() - began)

    assert share < 0.02


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.parametrize(
    ("environment", "code", "said"),
    [
        ({}, 2, "HAIRSPRING_POSTGRES_URL is not set"),
        ({"HAIRSPRING_SMTP_URL": "localhost"}, 2, "HAIRSPRING_SMTP_URL must look like"),
        ({"HAIRSPRING_MAIL_FROM": "nobody"}, 2, "HAIRSPRING_MAIL_FROM cannot be used"),
        ({"HAIRSPRING_POSTGRES_URL": "postgresql://x:secret@127.0.0.1:1/y"}, 1, "does not answer"),
    ],
)
async def test_bad_settings_are_told_in_one_line(
    environment: dict[str, str], code: int, said: str
) -> None:
    """What a person must mend is one line, without a password and without a traceback."""
    good = {
        "HAIRSPRING_POSTGRES_URL": "postgresql://127.0.0.1:1/y",
        "HAIRSPRING_REDIS_URL": "redis://127.0.0.1:1/0",
        "HAIRSPRING_SMTP_URL": "smtp://127.0.0.1:1",
        "HAIRSPRING_MAIL_FROM": "shop@example.com",
        "HAIRSPRING_AUTH": "off",
    }
    ended, told = await run_to_end(**({**good, **environment} if environment else {}))

    assert code == ended
    assert said in told
    assert "secret" not in told
    assert "Traceback" not in told
