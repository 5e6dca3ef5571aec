"""Notices between processes: Postgres' LISTEN on one connection, for all who want to be woken."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import structlog

from hairspring.database.migrations import check_schema_name
from hairspring.database.pool import DRIVER_ERRORS, DatabaseUnavailable, connect

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
_HEARTBEAT_SECONDS = 30.0
_ANSWER_SECONDS = 10.0


class Notices:
    """Wakes subscribers when something was notified on their channel.

    A wake-up says "look again", nothing more: notices may be merged, and one is given after every
    reconnection because some may have been missed. While the connection is down there are none;
    subscribers keep a slow poll of their own for that.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._subscribers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._listening: set[str] = set()
        self._connection: asyncpg.Connection | None = None
        self._busy = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, name: str) -> AsyncIterator[Notices]:
        """Listen from now on, reconnecting as needed, until the end of the block.

        Raises DatabaseUnavailable if the first connection cannot be made.
        """
        notices = cls(url, name)
        await notices._connect()
        keeper = asyncio.create_task(notices._keep_connected(), name=f"{name}-notices")
        try:
            yield notices
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            await notices._disconnect()

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set on every notice; clear it before looking, then wait for it.

        What is notified after the block has begun is not missed. Raises ValueError for a channel
        that is no plain name.
        """
        check_schema_name(channel)
        event = asyncio.Event()
        self._subscribers[channel].add(event)
        try:
            await self._listen(channel)
            yield event
        finally:
            self._subscribers[channel].discard(event)

    async def _listen(self, channel: str) -> None:
        """Listen on a channel, if connected; else it is done on the reconnection."""
        async with self._busy:
            connection = self._connection
            if connection is None or channel in self._listening:
                return
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await connection.add_listener(channel, self._noticed)
            except DRIVER_ERRORS as error:
                _log.warning("listening_failed", channel=channel, error=repr(error))
                connection.terminate()  # The keeper starts anew and listens on all channels.
                return
            self._listening.add(channel)

    def _noticed(self, _connection: Any, _pid: int, channel: str, _payload: object) -> None:
        """Wake the channel's subscribers; called by the driver for each notice."""
        for event in self._subscribers[channel]:
            event.set()

    async def _connect(self) -> None:
        """Connect, listen on all known channels, and wake everybody."""
        connection = await connect(self._url, name=f"{self._name}-notices")
        async with self._busy:
            self._listening.clear()
            self._connection = connection
        for channel in list(self._subscribers):
            await self._listen(channel)
            self._noticed(connection, 0, channel, "")

    async def _disconnect(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            with suppress(*DRIVER_ERRORS):
                await connection.close(timeout=_ANSWER_SECONDS)

    async def _keep_connected(self) -> None:
        """Stay connected, whatever happens; pauses between attempts grow to two seconds."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                if self._connection is None:
                    await self._connect()
                    _log.info("notices_reconnected", name=self._name)
                pause = _FIRST_PAUSE_SECONDS
                await self._until_lost()
                _log.warning("notices_lost", name=self._name)
            except DatabaseUnavailable as error:
                _log.warning("notices_unavailable", name=self._name, error=str(error))
            except Exception:
                _log.exception("notices_failed", name=self._name)
            await self._disconnect()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _until_lost(self) -> None:
        """Return once the connection is gone, asking now and then whether it still answers."""
        connection = self._connection
        assert connection is not None
        lost = asyncio.Event()

        def note(_connection: Any) -> None:
            lost.set()

        connection.add_termination_listener(note)
        while not (lost.is_set() or connection.is_closed()):
            await wait_until_set(lost, _HEARTBEAT_SECONDS)
            if not lost.is_set():
                async with self._busy:
                    if not connection.is_closed():
                        await self._check(connection)

    async def _check(self, connection: asyncpg.Connection) -> None:
        """End the connection if it does not answer: it may be half open."""
        try:
            await connection.fetchval("SELECT 1", timeout=_ANSWER_SECONDS)
        except DRIVER_ERRORS:
            connection.terminate()


async def wait_until_set(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so many seconds, and return either way."""
    # Not by wait_for: that of Python 3.11 loses a cancellation that comes just as the event is set.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
