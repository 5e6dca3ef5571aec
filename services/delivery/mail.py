"""Builds the mail: addresses that can be mailed, headers that nothing can be slipped into."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from hairspring.services.delivery.rendering import Rendered

LONGEST_ADDRESS = 254

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


class BadAddress(Exception):
    """This is no address that a mail can go to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Whom the mails come from: a name that may be empty, and an address."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The part after the @, which message ids end with."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A mail as it is handed over: from whom, to whom, and its bytes with CRLF line ends."""

    sender: str
    recipient: str
    content: bytes


def address_of(told: object) -> str:
    """Read an address that somebody told, with its domain in ASCII. Raises BadAddress."""
    text = told.strip() if isinstance(told, str) else ""
    local, at, domain = text.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise BadAddress("the domain of the address cannot be used") from None
    address = f"{local}@{domain}"
    if not at or len(address) > LONGEST_ADDRESS or len(local) > 64:
        raise BadAddress("it is not an address of the form name@domain")
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise BadAddress("it is not an address of the form name@domain")
    return address


def sender_of(told: str) -> Sender:
    """Read whom mails come from, as `shop@example.com` or `Shop <shop@example.com>`.

    Raises BadAddress.
    """
    name, address = parseaddr(told)
    if any(not letter.isprintable() for letter in name):
        raise BadAddress("the name has characters that cannot be printed")
    return Sender(name=name, address=address_of(address))


def message_id_header(message_id: str, sender: Sender) -> str:
    """Write the Message-ID of a mail, the same at every try."""
    return f"<{message_id}@{sender.domain}>"


def envelope_of(
    message_id: str, sender: Sender, recipient: str, rendered: Rendered, now: int
) -> Envelope:
    """Build a mail of text and HTML; `now` (ms, UTC) becomes its date."""
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = message_id_header(message_id, sender)
    mail["Date"] = format_datetime(datetime.fromtimestamp(now // 1000, UTC))
    mail["From"] = Address(display_name=sender.name, addr_spec=sender.address)
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = rendered.subject
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_sound(rendered.text), cte="quoted-printable")
    mail.add_alternative(_sound(rendered.html), subtype="html", cte="quoted-printable")
    return Envelope(sender=sender.address, recipient=recipient, content=mail.as_bytes())


def _sound(text: str) -> str:
    """Replace what cannot be written as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
