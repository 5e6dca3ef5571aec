"""A real SMTP server that delivers nothing: it keeps what it is sent, to be read."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from pathlib import Path
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from hairspring.embedded.locks import prepare
from hairspring.embedded.ports import LOOPBACK, free_port, require_free

_KEPT = 10_000
_MAX_BYTES = 32 * 1024 * 1024
_ACCEPTED = "250 2.0.0 Message accepted"
_UNSAFE = re.compile(r"[^A-Za-z0-9._@+-]+")
_NUMBERED = re.compile(r"(\d{4,})-")


@dataclass(frozen=True, slots=True, kw_only=True)
class SunkMail:
    """One mail as it came in: when (ms, UTC), its envelope, its content, where it can be read."""

    received_at: int
    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    path: Path | None


Answer = Callable[[str, tuple[str, ...]], str | None]


@asynccontextmanager
async def mail_sink(
    directory: Path | None, *, port: int | None = None, hostname: str = LOOPBACK
) -> AsyncIterator[MailSink]:
    """Take mails by SMTP until the block ends, and write them into `directory` if one is given.

    Listens on `hostname`, on `port` or a free one, within the running event loop. Raises
    `PortTaken` or `DirectoryUnusable`.
    """
    sink = MailSink(directory, hostname=hostname, port=port)
    try:
        await sink.start()
        yield sink
    finally:
        await sink.stop()


class MailSink:
    """An SMTP server that keeps the last 10,000 mails in memory, and all of them on disk.

    `answer` may be set to a function of sender and recipients that returns an SMTP reply such as
    "451 4.3.0 Try again later" to refuse a mail with, or None to accept it.
    """

    def __init__(self, directory: Path | None, *, hostname: str, port: int | None = None) -> None:
        self._directory = directory
        self._hostname = hostname
        self._port = free_port(hostname) if port is None else port
        self._server: asyncio.Server | None = None
        self._sessions: set[SMTP] = set()
        self._kept: deque[SunkMail] = deque(maxlen=_KEPT)
        self._number = 0
        self._accepted = 0
        self.answer: Answer | None = None

    @property
    def port(self) -> int:
        """The TCP port, the same over restarts."""
        return self._port

    @property
    def url(self) -> str:
        """The address for a sender of mail."""
        return f"smtp://{self._hostname}:{self._port}"

    @property
    def messages(self) -> list[SunkMail]:
        """The mails accepted so far, oldest first, at most the last 10,000."""
        return list(self._kept)

    @property
    def accepted(self) -> int:
        """How many mails have been accepted since this sink was made."""
        return self._accepted

    async def start(self) -> None:
        """Begin to listen; raises `PortTaken` or `DirectoryUnusable`."""
        if self._server is not None:
            return
        if self._directory is not None:
            self._number = _last_number(prepare(self._directory))
        require_free(self._port, self._hostname)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, self._hostname, self._port)

    async def stop(self) -> None:
        """Stop listening and hang up on who is connected, as a mail server that goes down does."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for session in list(self._sessions):
            if session.transport is not None:
                cast(asyncio.Transport, session.transport).abort()
        await server.wait_closed()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep one mail; called by the SMTP protocol with the whole of it."""
        sender = envelope.mail_from or ""
        recipients = tuple(envelope.rcpt_tos)
        refusal = self.answer(sender, recipients) if self.answer is not None else None
        if refusal is not None:
            return refusal
        received_at = time.time_ns() // 1_000_000
        content = envelope.original_content or b""
        message = message_from_bytes(content, policy=policy.default)
        path = None
        if self._directory is not None:
            self._number += 1
            path = self._directory / f"{self._number:04d}-{_file_name(recipients)}.eml"
            # Off the loop, which may serve a whole laptop's Hairspring while a disk stalls.
            await asyncio.to_thread(_write, path, content, message)
        self._kept.append(
            SunkMail(
                received_at=received_at,
                sender=sender,
                recipients=recipients,
                message=message,
                path=path,
            )
        )
        self._accepted += 1
        return _ACCEPTED

    def _session(self) -> SMTP:
        return _TrackedSMTP(self, self._sessions)


class _TrackedSMTP(SMTP):
    """One connection, known to its sink while it is open."""

    def __init__(self, sink: MailSink, open_sessions: set[SMTP]) -> None:
        super().__init__(
            sink,
            data_size_limit=_MAX_BYTES,
            enable_SMTPUTF8=True,
            hostname="localhost",
            ident="Hairspring mail sink",
            loop=asyncio.get_running_loop(),
        )
        self._open_sessions = open_sessions

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open_sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_sessions.discard(self)
        super().connection_lost(error)


def _file_name(recipients: tuple[str, ...]) -> str:
    """Name a file after the first recipient, whatever is in that."""
    name = _UNSAFE.sub("_", recipients[0] if recipients else "nobody")
    return name.strip(".")[:100] or "nobody"


def _last_number(directory: Path) -> int:
    """Find the highest number among the mails that lie in the directory already."""
    found = (_NUMBERED.match(path.name) for path in directory.glob("*.eml"))
    return max((int(match[1]) for match in found if match), default=0)


def _write(path: Path, content: bytes, message: EmailMessage) -> None:
    """Write a mail as it came, and its readable parts beside it."""
    path.write_bytes(content)
    for kind, suffix in (("html", ".html"), ("plain", ".txt")):
        part = message.get_body(preferencelist=(kind,))
        if part is not None:
            path.with_name(path.stem + suffix).write_text(_text(part), "utf-8", "replace")


def _text(part: MIMEPart) -> str:
    """Read a part's text; in an encoding nobody knows, as far as it is UTF-8."""
    try:
        return str(part.get_content())
    except LookupError:
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
