"""Hands mails over by SMTP: a few connections at a time, kept while there is work.

What matters is when a try fails: before the content was sent, the mail was certainly not taken and
may be tried again; after that, silence means that nobody knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPNotSupported,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from hairspring.runtime.clock import Clock
from hairspring.services.delivery.mail import Envelope
from hairspring.services.delivery.mailing import CONNECTIONS, Mailer
from hairspring.services.delivery.messages import Handover, Report

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
CONTENT_SECONDS = 120.0
"""How long a server may take to answer for the whole content (RFC 5321 asks for patience)."""
IDLE_SECONDS = 15.0
"""An idle connection is closed after this long."""
MOST_PER_CONNECTION = 200
REST_SECONDS = 1.0
"""After a connection failed, nobody tries another one for this long."""

_LINE_ENDS = re.compile(rb"\r\n|\r|\n")
_DOTS = re.compile(rb"(?m)^\.")

_OWN_NAME = socket.gethostname() if "." in socket.gethostname() else "[127.0.0.1]"
_LOGIN_CODES = frozenset({530, 534, 535, 538})
"""The server wants another login: that is mended in the settings, and says nothing of the mail."""


class BadServer(Exception):
    """The URL of the mail server cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where mails are handed over, and how. `starttls`: None means if the server offers it."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    starttls: bool | None = None


def server_of(url: str) -> Server:
    """Read `smtp://[user:password@]host[:port][?starttls=required|auto|never]` or `smtps://`.

    A password is sent over TLS only, unless `starttls=never` says otherwise. Raises BadServer.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadServer("HAIRSPRING_SMTP_URL cannot be read") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise BadServer("HAIRSPRING_SMTP_URL must look like smtp://host:25")
    told = parse_qs(parts.query).get("starttls", ["required" if parts.password else "auto"])[-1]
    if told not in _STARTTLS:
        raise BadServer("starttls in HAIRSPRING_SMTP_URL is required, auto or never")
    tls = parts.scheme == "smtps"
    return Server(
        host=parts.hostname,
        port=port or (465 if tls else 25),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=tls,
        starttls=False if tls else _STARTTLS[told],
    )


_STARTTLS = {"required": True, "auto": None, "never": False}


class _NotTaken(Exception):
    """The mail was not taken; the report says whether to try again."""

    def __init__(self, handover: Handover, reason: str) -> None:
        super().__init__(reason)
        self.handover = handover
        self.reason = reason


class _Unreachable(Exception):
    """No connection to the mail server could be made."""


@dataclass(slots=True)
class _Line:
    """A connection, how many mails it has carried, and since when it is idle."""

    smtp: SMTP
    carried: int = 0
    idle_since: float = 0.0


class SmtpMailer(Mailer):
    """Hands mails over by SMTP, at most `CONNECTIONS` at a time. Used within `open`."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[_Line] = []
        self._rest_until = 0.0
        self._rest_reason = ""
        self._closer: asyncio.TimerHandle | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, server: Server, clock: Clock) -> AsyncIterator[SmtpMailer]:
        """Give a mailer that connects when it is first used, and hang up in the end."""
        mailer = cls(server, clock)
        try:
            yield mailer
        finally:
            mailer.close()

    async def hand_over(self, envelope: Envelope) -> Report:
        """Try once to hand a mail over, and report how it ended; never raises for that."""
        async with self._room:
            try:
                await self._carry(envelope)
            except _NotTaken as error:
                return Report(handover=error.handover, at=self._clock(), reason=error.reason)
            except _Unreachable as error:
                return Report(handover=Handover.LATER, at=self._clock(), reason=str(error))
        return Report(handover=Handover.TAKEN, at=self._clock())

    def close(self) -> None:
        """Hang up on every idle connection."""
        if self._closer is not None:
            self._closer.cancel()
        for line in self._idle:
            line.smtp.close()
        self._idle.clear()

    async def _carry(self, envelope: Envelope) -> None:
        """Send the mail over a kept connection, or over a new one if that has gone stale."""
        while self._idle:
            line = self._idle.pop()
            try:
                await self._converse(line, envelope)
            except SMTPServerDisconnected:
                continue
            return
        line = await self._connect()
        try:
            await self._converse(line, envelope)
        except SMTPServerDisconnected as error:
            raise _NotTaken(Handover.LATER, f"the mail server hung up: {error}") from error

    async def _converse(self, line: _Line, envelope: Envelope) -> None:
        """Hold one conversation. Raises SMTPServerDisconnected only before the content."""
        try:
            await self._envelope(line.smtp, envelope)
            await self._content(line.smtp, envelope.content)
        except _NotTaken as error:
            await self._reset(line, error)
            raise
        except BaseException:
            line.smtp.close()
            raise
        line.carried += 1
        self._keep(line)

    async def _envelope(self, smtp: SMTP, envelope: Envelope) -> None:
        """Say from whom and to whom it is, and ask to send the content."""
        try:
            await smtp.mail(envelope.sender)
            await smtp.rcpt(envelope.recipient)
            answer = await smtp.execute_command(b"DATA")
        except SMTPResponseException as error:
            raise _refusal(error.code, error.message) from error
        except SMTPTimeoutError as error:
            smtp.close()
            raise _NotTaken(Handover.LATER, "the mail server did not answer in time") from error
        if answer.code != 354:
            raise _refusal(answer.code, answer.message)

    async def _content(self, smtp: SMTP, content: bytes) -> None:
        """Send the content and wait for the answer; without one, nobody knows."""
        protocol = smtp.protocol
        if protocol is None:
            raise _NotTaken(Handover.LATER, "the mail server hung up")
        try:
            protocol.write(quoted(content))
            answer = await protocol.read_response(timeout=CONTENT_SECONDS)
        except (SMTPException, OSError) as error:
            smtp.close()
            reason = f"no answer to the content of the mail: {error or type(error).__name__}"
            raise _NotTaken(Handover.UNKNOWN, reason) from error
        if not 200 <= answer.code < 300:
            raise _refusal(answer.code, answer.message)

    async def _connect(self) -> _Line:
        """Open a connection; after a failure nobody tries for a moment, all fail at once."""
        if time.monotonic() < self._rest_until:
            raise _Unreachable(self._rest_reason)
        server = self._server
        smtp = SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=_OWN_NAME,
            use_tls=server.tls,
            start_tls=server.starttls,
            timeout=CONNECT_SECONDS,
        )
        try:
            async with asyncio.timeout(2 * CONNECT_SECONDS):
                await smtp.connect()
                if server.user:
                    await smtp.login(server.user, server.password)
        except (SMTPException, SMTPNotSupported, OSError, TimeoutError) as error:
            smtp.close()
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            self._rest_reason = f"the mail server cannot be reached: {said[:200]}"
            self._rest_until = time.monotonic() + REST_SECONDS
            raise _Unreachable(self._rest_reason) from error
        smtp.timeout = ANSWER_SECONDS
        return _Line(smtp=smtp)

    async def _reset(self, line: _Line, error: _NotTaken) -> None:
        """Make a connection ready for the next mail after a refusal, or hang up."""
        if error.handover is Handover.UNKNOWN or not line.smtp.is_connected:
            line.smtp.close()
            return
        try:
            await line.smtp.rset()
        except (SMTPException, OSError):
            line.smtp.close()
            return
        self._keep(line)

    def _keep(self, line: _Line) -> None:
        """Keep a connection for the next mail, for a while."""
        if line.carried >= MOST_PER_CONNECTION or not line.smtp.is_connected:
            line.smtp.close()
            return
        line.idle_since = time.monotonic()
        self._idle.append(line)
        if self._closer is None:
            self._close_idle_later(IDLE_SECONDS)

    def _close_idle_later(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._closer = loop.call_later(seconds, self._close_idle)

    def _close_idle(self) -> None:
        """Hang up on connections that nobody has used for a while."""
        self._closer = None
        now = time.monotonic()
        kept = [line for line in self._idle if now - line.idle_since < IDLE_SECONDS]
        for line in self._idle:
            if line not in kept:
                with contextlib.suppress(SMTPException, OSError):
                    line.smtp.close()
        self._idle = kept
        if kept:
            self._close_idle_later(IDLE_SECONDS)


def quoted(content: bytes) -> bytes:
    """Write a mail as SMTP carries it: CRLF line ends, dots doubled, and the final dot."""
    lines = _LINE_ENDS.sub(b"\r\n", content)
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return _DOTS.sub(b"..", lines) + b".\r\n"


def _refusal(code: int, message: str) -> _NotTaken:
    """Tell a refusal for now (4xx and what makes no sense) from one for good (5xx)."""
    said = f"{code} {message}".replace("\n", " ").strip()[:300]
    for_good = 500 <= code < 600 and code not in _LOGIN_CODES
    handover = Handover.REFUSED if for_good else Handover.LATER
    return _NotTaken(handover, f"the mail server said: {said}")
