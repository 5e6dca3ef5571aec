from email import message_from_bytes, policy

import pytest
from hairspring.services.delivery.adapters.smtp import BadServer, quoted, server_of
from hairspring.services.delivery.mail import BadAddress, address_of, envelope_of, sender_of
from hairspring.services.delivery.rendering import Rendered, one_line
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_700_000_000_000


def test_a_mail_has_its_headers_and_both_parts():
    """What a mail program needs is there, in the order of the standard: text, then HTML."""
    sender = sender_of("Der Laden für Ada <shop@example.com>")
    rendered = Rendered(subject="Schöne Grüße", html="<p>ü €</p>", text=".ü\n")

    envelope = envelope_of("run-0", sender, "ada@example.org", rendered, NOW)
    mail = message_from_bytes(envelope.content, policy=policy.default)

    assert (envelope.sender, envelope.recipient) == ("shop@example.com", "ada@example.org")
    assert mail["Message-ID"] == "<run-0@example.com>"
    assert mail["From"] == "Der Laden für Ada <shop@example.com>"
    assert mail["To"] == "ada@example.org"
    assert mail["Subject"] == "Schöne Grüße"
    assert mail["Date"].datetime.isoformat() == "2023-11-14T22:13:20+00:00"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail.get_body(("plain",)).get_content().splitlines() == [".ü"]
    assert envelope.content.isascii()


def test_text_that_no_mail_can_hold_is_repaired():
    """A lone surrogate from somewhere does not stop the mail."""
    rendered = Rendered(subject="Hi", html="<p>\ud800</p>", text="\ud800")

    content = envelope_of("m", sender_of("s@example.com"), "a@b.c", rendered, NOW).content

    assert b"?" in content


@given(st.text(), st.text(), st.text())
def test_any_text_gives_a_mail(subject, html, text):
    """Whatever is rendered, the mail can be written and read, with no header slipped in."""
    rendered = Rendered(subject=one_line(subject), html=html, text=text)

    content = envelope_of("m", sender_of("s@example.com"), "a@b.c", rendered, NOW).content
    mail = message_from_bytes(content, policy=policy.default)

    assert mail["To"] == "a@b.c"
    assert mail["Bcc"] is None
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert quoted(content).endswith(b"\r\n.\r\n")


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  o'hara+x@sub.example.com ", "o'hara+x@sub.example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_addresses_that_can_be_mailed(told, address):
    """Domains in other scripts are written in ASCII."""
    assert address == address_of(told)


@pytest.mark.parametrize(
    "told",
    [
        "",
        None,
        7,
        "ada",
        "@example.com",
        "ada@",
        "ada@exa mple.com",
        "ada@example.com\r\nBcc: bob@example.com",
        "ada\n@example.com",
        "Ada <ada@example.com>",
        "ada@example.com, bob@example.com",
        "ada@@example.com",
        "a..da@example.com",
        "x" * 65 + "@example.com",
        "ada@" + "x" * 300 + ".com",
        "ädä@example.com",
    ],
)
def test_what_is_no_address_is_refused(told):
    """Nothing can be slipped in beside an address."""
    with pytest.raises(BadAddress):
        address_of(told)


def test_the_server_is_read_from_its_url():
    """A password asks for TLS unless the URL says otherwise, and is shown nowhere."""
    plain = server_of("smtp://localhost")
    login = server_of("smtp://shop%40x:p%2Fw@mail.example.com:587")

    assert (plain.host, plain.port, plain.tls, plain.starttls) == ("localhost", 25, False, None)
    assert (login.user, login.password, login.port, login.starttls) == ("shop@x", "p/w", 587, True)
    assert "p/w" not in repr(login)
    assert server_of("smtp://u:p@host?starttls=never").starttls is False
    assert (server_of("smtps://host").port, server_of("smtps://host").tls) == (465, True)


@pytest.mark.parametrize(
    "url", ["", "localhost:25", "http://x", "smtp://", "smtp://h:x", "smtp://h?starttls=maybe"]
)
def test_a_server_that_cannot_be_read_is_refused(url):
    """The error names the setting."""
    with pytest.raises(BadServer, match="HAIRSPRING_SMTP_URL"):
        server_of(url)


def test_the_content_is_written_as_smtp_carries_it():
    """Every line ends in CRLF, dots at the beginning are doubled, and one alone ends it."""
    assert quoted(b"a\n.b\r\n..\rc") == b"a\r\n..b\r\n...\r\nc\r\n.\r\n"
