"""From an entry into a segment to a mail, over real servers."""

from __future__ import annotations

import asyncio

from hairspring.contracts.flow.v1 import run_pb2
from hairspring.contracts.message.v1 import message_pb2
from hairspring.embedded.mail import MailSink
from hairspring.runtime.clock import now_ms

from tests.integration.delivery.conftest import (
    CART_MAIL,
    PLAIN_MAIL,
    Delivery,
    flow,
    send,
)
from tests.integration.delivery.peers import Peers
from tests.support.waiting import eventually


async def test_an_entry_becomes_a_personal_mail(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """Who enters the segment gets a mail with her name, what is left in her cart, and prices."""
    now = now_ms()
    peers.define(1, flow({"wait": 50}, send("cart-recovery")), CART_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com", "name": "Ada <3"}
    lamp = {"product_id": "1", "name": "Lamp", "price": 19.99, "currency": "EUR"}
    cup = {"product_id": "2", "name": "Cup", "price": 5, "quantity": 3, "currency": "EUR"}
    first = peers.track("ada", "Product Added", now - 9_000, **lamp)
    second = peers.track("ada", "Product Added", now - 8_000, **cup)
    peers.track("ada", "Product Removed", now - 7_000, product_id="2", quantity=1)
    await peers.enter("ada", now, evidence=(first, second))

    await eventually(lambda: mail_sink.messages)

    mail = mail_sink.messages[0]
    [told] = await delivery.messages()
    assert mail.recipients == ("ada@example.com",)
    assert mail.message["Subject"] == "Ada <3, your cart is waiting"
    assert f"<{told.message_id}@example.com>" == mail.message["Message-ID"]
    assert mail.message["From"] == "Shop <shop@example.com>"
    html = mail.message.get_body(("html",)).get_content()
    assert "Dear Ada &lt;3" in html
    assert "1 x Lamp: €19.99" in html
    assert "2 x Cup: €5.00" in html
    assert "Total €29.99" in html
    assert "- 2 x Cup: €5.00" in mail.message.get_body(("plain",)).get_content()


async def test_a_sent_message_and_its_run_are_told(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """A run that is over is told as completed, and its message as sent."""
    now = now_ms()
    peers.define(1, flow({"wait": 30}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com", "name": "Ada"}
    await peers.enter("ada", now)

    async def completed() -> bool:
        [run] = await delivery.runs()
        return run.status == run_pb2.RUN_STATUS_ENDED

    await eventually(completed)

    [run] = await delivery.runs(profile_id="ada", flow="recovery")
    [message] = await delivery.messages(status=message_pb2.MESSAGE_STATUS_SENT)
    assert run.reason == "completed"
    assert run.run_id == message.run_id
    assert message.attempts == 1
    assert now + 30 == message.due_time.ToMilliseconds()
    assert message.subject == "Still there, Ada?"
    assert not await delivery.runs(profile_id="bob")


async def test_leaving_during_the_wait_ends_the_run(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """Who leaves the segment before the wait is over gets no mail."""
    now = now_ms()
    peers.define(1, flow({"wait": 60_000}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await peers.enter("ada", now)
    await eventually(lambda: delivery.runs(status=run_pb2.RUN_STATUS_ACTIVE))
    await peers.leave("ada", now + 500)

    [run] = await eventually(lambda: delivery.runs(status=run_pb2.RUN_STATUS_ENDED))

    assert run.reason == "segment_left"
    assert now + 500 == run.end_time.ToMilliseconds()
    assert not await delivery.messages()


async def test_who_has_left_by_the_answer_of_the_evaluator_gets_no_mail(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """The evaluator's answer before the send decides, even where its log has not said so yet."""
    peers.define(1, flow({"wait": 300}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await peers.enter("ada", now_ms())
    del peers.entered["ada", "cart-abandoners"]

    [message] = await eventually(
        lambda: delivery.messages(status=message_pb2.MESSAGE_STATUS_SKIPPED)
    )

    [run] = await delivery.runs()
    assert "segment_left" == message.reason == run.reason
    assert not mail_sink.messages


async def test_another_entry_is_not_the_one_that_set_off_the_run(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """A member by a later entry is not mailed for the earlier one."""
    now = now_ms()
    peers.define(1, flow({"wait": 300}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await peers.enter("ada", now)
    peers.entered["ada", "cart-abandoners"] = now + 5

    await eventually(lambda: delivery.messages(status=message_pb2.MESSAGE_STATUS_SKIPPED))

    assert not mail_sink.messages


async def test_without_an_answer_the_send_waits(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """While the evaluator is away nothing is sent; once it is back the mail goes out."""
    peers.define(1, flow({"wait": 400}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await peers.enter("ada", now_ms())
    await eventually(lambda: delivery.runs(status=run_pb2.RUN_STATUS_ACTIVE))
    await peers.stop()

    async def waits() -> bool:
        [message] = await delivery.messages(status=message_pb2.MESSAGE_STATUS_PENDING)
        return "the rule evaluator" in message.reason

    await eventually(waits)
    assert not mail_sink.messages
    await peers.start()
    await eventually(lambda: mail_sink.messages)
    assert mail_sink.accepted == 1


async def test_a_mail_goes_out_when_the_mail_server_is_back(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """While the mail server is down the message is tried again, and checked again each time."""
    await mail_sink.stop()
    peers.define(1, flow(send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await peers.enter("ada", now_ms())

    async def tried() -> bool:
        [message] = await delivery.messages(status=message_pb2.MESSAGE_STATUS_PENDING)
        return message.attempts >= 1 and "cannot be reached" in message.reason

    await eventually(tried)
    await mail_sink.start()
    await eventually(lambda: mail_sink.messages)

    [message] = await eventually(lambda: delivery.messages(status=message_pb2.MESSAGE_STATUS_SENT))
    assert message.attempts == peers.checks >= 2


async def test_who_buys_while_the_mail_server_is_down_gets_no_mail(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """A message that waits to be tried again is skipped once its segment is left."""
    now = now_ms()
    await mail_sink.stop()
    peers.define(1, flow(send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await peers.enter("ada", now)

    async def tried() -> bool:
        [message] = await delivery.messages(status=message_pb2.MESSAGE_STATUS_PENDING)
        return message.attempts >= 1

    await eventually(tried)
    await peers.leave("ada", now + 10)
    await mail_sink.start()

    [message] = await eventually(
        lambda: delivery.messages(status=message_pb2.MESSAGE_STATUS_SKIPPED)
    )
    assert message.reason == "segment_left"
    assert not mail_sink.messages


async def test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """A 4xx is followed by another try, a 5xx ends the message as failed."""
    peers.define(1, flow(send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    peers.traits["bob"] = {"email": "bob@example.com"}
    refused: list[str] = []

    def answer(sender: str, recipients: tuple[str, ...]) -> str | None:
        if recipients == ("bob@example.com",):
            return "550 5.1.1 No such mailbox"
        refused.append(recipients[0])
        return "451 4.3.0 Try again later" if len(refused) == 1 else None

    mail_sink.answer = answer
    await peers.enter("ada", now_ms())
    await peers.enter("bob", now_ms())

    [sent] = await eventually(lambda: delivery.messages(status=message_pb2.MESSAGE_STATUS_SENT))
    [failed] = await delivery.messages(status=message_pb2.MESSAGE_STATUS_FAILED)
    assert (sent.profile_id, sent.attempts) == ("ada", 2)
    assert (failed.profile_id, failed.attempts) == ("bob", 1)
    assert "550" in failed.reason
    assert "No such mailbox" in failed.reason


async def test_what_cannot_be_mailed_is_skipped_with_its_reason(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """No address, a bad address and an empty cart are each a reason not to send."""
    now = now_ms()
    peers.define(1, flow(send("cart-recovery")), CART_MAIL)
    peers.traits["ada"] = {}
    peers.traits["bob"] = {"email": "bob@example.com\r\nBcc: all@example.com"}
    peers.traits["cy"] = {"email": "cy@example.com"}
    peers.track("cy", "Product Added", now - 2_000, product_id="1", name="Lamp")
    peers.track("cy", "Product Removed", now - 1_000, product_id="1")
    for profile in ("ada", "bob", "cy"):
        await peers.enter(profile, now)

    async def reasons() -> dict[str, str]:
        skipped = await delivery.messages(status=message_pb2.MESSAGE_STATUS_SKIPPED)
        return {one.profile_id: one.reason for one in skipped} if len(skipped) == 3 else {}

    told = await eventually(reasons)
    assert told["ada"] == "no email"
    assert told["bob"].startswith("bad email address")
    assert told["cy"] == "cart is empty"
    assert not mail_sink.messages


async def test_a_cooldown_keeps_a_flow_from_starting_again(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """An entry within the cooldown is recorded as a run that was not started."""
    now = now_ms()
    peers.define(1, flow(send(), cooldown=60_000), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    await peers.enter("ada", now - 120_000)
    await peers.leave("ada", now - 110_000)
    await peers.enter("ada", now - 100_000)
    await peers.leave("ada", now - 90_000)
    await peers.enter("ada", now - 60_000)

    [sent] = await eventually(lambda: mail_sink.messages)
    [refused] = await delivery.runs(status=run_pb2.RUN_STATUS_NOT_STARTED)
    assert refused.reason == "cooldown"
    assert now - 100_000 == refused.start_time.ToMilliseconds()
    assert sent.recipients == ("ada@example.com",)


async def test_an_entry_that_sets_off_no_flows_starts_nothing(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """An imported entry starts no run; the live one after it does."""
    peers.define(1, flow(send()), PLAIN_MAIL)
    peers.traits |= {name: {"email": f"{name}@example.com"} for name in ("ada", "bob")}
    await peers.enter("ada", now_ms(), sets_off_flows=False)
    await peers.enter("bob", now_ms())

    await eventually(lambda: mail_sink.messages)

    [run] = await delivery.runs()
    assert run.profile_id == "bob"


async def test_a_run_keeps_the_definitions_it_started_with(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """A flow that is changed while somebody waits goes on for her as it was."""
    now = now_ms()
    other = {**PLAIN_MAIL, "subject": "Changed"}
    peers.define(1, flow({"wait": 300}, send()), PLAIN_MAIL)
    peers.define(2, flow(send()), other)
    peers.traits |= {name: {"email": f"{name}@example.com"} for name in ("ada", "bob")}
    await peers.enter("ada", now, plan_version=1)
    await peers.enter("bob", now, plan_version=2)

    await eventually(lambda: len(mail_sink.messages) == 2)

    subjects = {mail.recipients[0]: mail.message["Subject"] for mail in mail_sink.messages}
    assert subjects == {"ada@example.com": "Still there, ?", "bob@example.com": "Changed"}


async def test_many_messages_go_out_once_each(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """Three hundred entries are three hundred mails, each with its own id."""
    now = now_ms()
    names = [f"p{number}" for number in range(300)]
    peers.define(1, flow(send()), PLAIN_MAIL)
    peers.traits |= {name: {"email": f"{name}@example.com"} for name in names}
    await asyncio.gather(*(peers.enter(name, now) for name in names))

    await eventually(lambda: mail_sink.accepted >= 300, timeout=30)

    async def all_ended() -> bool:
        return len(await delivery.runs(status=run_pb2.RUN_STATUS_ENDED, page_size=1000)) == 300

    await eventually(all_ended)
    recipients = {mail.recipients[0] for mail in mail_sink.messages}
    ids = {mail.message["Message-ID"] for mail in mail_sink.messages}
    assert 300 == len(recipients) == len(ids) == mail_sink.accepted
