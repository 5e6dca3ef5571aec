"""The mail sink, in a real SMTP conversation."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest
from hairspring.embedded import PortTaken
from hairspring.embedded.mail import MailSink, mail_sink
from hairspring.runtime.clock import now_ms


def mail(to: str = "Otto Ä <otto@shop.example>") -> EmailMessage:
    """Write a mail in two forms, with letters that need an encoding."""
    message = EmailMessage()
    message["From"] = "shop@shop.example"
    message["To"] = to
    message["Subject"] = "Ihr Käsekorb wartet"
    message.set_content("Guten Tag Otto, 3 Stück Käse zu 4,20 €\n")
    message.add_alternative("<p>3 Stück <b>Käse</b> zu 4,20 €</p>\n", subtype="html")
    return message


async def send(sink: MailSink, message: EmailMessage, to: str = "otto@shop.example") -> None:
    """Send a mail as an application does."""
    await aiosmtplib.send(
        message, hostname="127.0.0.1", port=sink.port, sender="bounce@shop.example", recipients=[to]
    )


async def test_a_mail_is_kept_as_it_came(mail_sink: MailSink) -> None:
    """Envelope and content arrive whole, and can be read beside the raw mail."""
    before = now_ms()
    await send(mail_sink, mail())

    (kept,) = mail_sink.messages
    assert before <= kept.received_at <= now_ms()
    assert (kept.sender, kept.recipients) == ("bounce@shop.example", ("otto@shop.example",))
    assert kept.message["Subject"] == "Ihr Käsekorb wartet"
    assert kept.path is not None
    assert kept.path.name == "0001-otto@shop.example.eml"
    assert b"multipart/alternative" in kept.path.read_bytes()
    assert kept.path.with_suffix(".html").read_text() == "<p>3 Stück <b>Käse</b> zu 4,20 €</p>\n"
    assert kept.path.with_suffix(".txt").read_text() == "Guten Tag Otto, 3 Stück Käse zu 4,20 €\n"


async def test_numbers_go_on_over_restarts(tmp_path: Path) -> None:
    """A directory that holds mails already keeps them."""
    names = []
    for _ in range(2):
        async with mail_sink(tmp_path) as sink:
            await send(sink, mail())
            await send(sink, mail())
            names += [kept.path.name for kept in sink.messages if kept.path]
    assert names == [f"000{number}-otto@shop.example.eml" for number in (1, 2, 3, 4)]


async def test_a_recipient_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    """What an address holds besides letters does not reach the file system."""
    async with mail_sink(tmp_path / "mail") as sink:
        await send(sink, mail(), to='"../../x y"@shop.example')
        (kept,) = sink.messages
    assert kept.path is not None
    assert tmp_path / "mail" == kept.path.parent
    assert "/" not in kept.path.name


async def test_it_can_refuse(mail_sink: MailSink) -> None:
    """A test may have the server answer as a busy one does."""
    mail_sink.answer = lambda sender, recipients: "451 4.3.0 Try again later"
    with pytest.raises(aiosmtplib.SMTPDataError) as refusal:
        await send(mail_sink, mail())
    assert refusal.value.code == 451
    assert mail_sink.messages == []

    mail_sink.answer = None
    await send(mail_sink, mail())
    assert mail_sink.accepted == 1


async def test_it_can_go_down_and_come_back(mail_sink: MailSink) -> None:
    """Down, it hangs up and refuses connections; back, it is at the same address."""
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=mail_sink.port) as client:
        await mail_sink.stop()
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await client.noop()
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await send(mail_sink, mail())
    await mail_sink.start()
    await send(mail_sink, mail())
    assert len(mail_sink.messages) == 1


async def test_without_a_directory_nothing_is_written() -> None:
    """Mails are kept in memory alone then."""
    async with mail_sink(None) as sink:
        await send(sink, mail())
        assert sink.messages[0].path is None


async def test_an_unknown_encoding_is_written_all_the_same(mail_sink: MailSink) -> None:
    """A mail in an encoding that nobody knows is accepted, not lost."""
    message = EmailMessage()
    message["To"] = "otto@shop.example"
    message.set_content("Guten Tag")
    message.replace_header("Content-Type", 'text/plain; charset="klingon"')
    await send(mail_sink, message)
    (kept,) = mail_sink.messages
    assert kept.path is not None
    assert kept.path.with_suffix(".txt").read_text().strip() == "Guten Tag"


async def test_a_taken_port_is_named(mail_sink: MailSink) -> None:
    """A second sink on the same port is refused."""
    with pytest.raises(PortTaken):
        await MailSink(None, hostname="127.0.0.1", port=mail_sink.port).start()
