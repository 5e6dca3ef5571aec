"""Group commit: callers that come at the same time share one append.

A caller alone is written at once; while an append is under way, those that come wait together and
are the next one. So the groups grow with the load. What waits is bounded, in entries and in bytes.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

from hairspring.log.port import Entry
from hairspring.runtime.errors import Exhausted, Unavailable, is_outage
from hairspring.runtime.logging import get_logger
from hairspring.runtime.tasks import Supervisor
from hairspring.services.ingest.appending import Append, Outcome, append_splitting
from hairspring.services.ingest.metrics import GROUP_EVENTS, GROUP_SECONDS

STOPPING = "the service is shutting down; call again"
AWAY = "the database does not answer just now; try again"

ENTRY_OVERHEAD_BYTES = 500
"""What an entry takes in memory beside its texts and its payload, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may wait, how large a group may be, and how long (in seconds) a caller waits."""

    queue_entries: int = 50_000
    queue_bytes: int = 64 * 1024 * 1024
    group_entries: int = 5_000
    group_bytes: int = 8 * 1024 * 1024
    patience: float = 5.0
    writers: int = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    """One caller's entries, and where it is told what became of them."""

    entries: Sequence[Entry]
    size: int
    done: asyncio.Future[list[Outcome]]


class GroupCommit:
    """Gathers entries of many callers and appends them; an async context manager.

    When the database is away or does not answer, callers get Unavailable within `patience`, and at
    once while it is known to hang; when too much waits, Exhausted. What was refused so may have
    been committed all the same: sending it again under the same message id is safe.
    """

    def __init__(self, append: Append, limits: Limits) -> None:
        self._append = append
        self._limits = limits
        self._waiting: deque[_Ticket] = deque()
        self._some = asyncio.Event()
        self._held_entries = 0
        self._held_bytes = 0
        self._hanging = 0
        self._closed = False
        self._writers = Supervisor()
        self._log = get_logger()

    async def __aenter__(self) -> "GroupCommit":
        for number in range(self._limits.writers):
            self._writers.start(f"group-commit-{number}", self._keep_writing)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed = True
        self._refuse_waiting(STOPPING)
        await self._writers.stop()

    @property
    def held(self) -> int:
        """How many entries are in hand and not committed yet."""
        return self._held_entries

    async def submit(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Answer what became of each entry, once all of them are committed or refused.

        Raises Unavailable or Exhausted.
        """
        if not entries:
            return []
        size = sum(map(size_of, entries))
        self._check_room(len(entries), size)
        ticket = _Ticket(entries, size, asyncio.get_running_loop().create_future())
        self._held_entries += len(entries)
        self._held_bytes += size
        self._waiting.append(ticket)
        self._some.set()
        try:
            async with asyncio.timeout(self._limits.patience):
                return await ticket.done
        except TimeoutError:
            raise Unavailable(
                f"the database took longer than {self._limits.patience:g} s; try again"
            ) from None

    def _check_room(self, entries: int, size: int) -> None:
        """Raise Unavailable or Exhausted where nothing more can be taken in."""
        if self._closed:
            raise Unavailable(STOPPING)
        if self._hanging:
            raise Unavailable(AWAY)
        if self._held_entries and (
            self._held_entries + entries > self._limits.queue_entries
            or self._held_bytes + size > self._limits.queue_bytes
        ):
            raise Exhausted("too many events wait to be written; try again in a moment")

    async def _keep_writing(self) -> None:
        while True:
            await self._some.wait()
            tickets = self._take()
            if tickets:
                await self._write(tickets)

    def _take(self) -> list[_Ticket]:
        """Take the next group, leaving out callers that have gone."""
        group: list[_Ticket] = []
        entries = size = 0
        while self._waiting:
            ticket = self._waiting[0]
            if ticket.done.done():
                self._let_go(self._waiting.popleft())
                continue
            entries += len(ticket.entries)
            size += ticket.size
            if group and (entries > self._limits.group_entries or size > self._limits.group_bytes):
                return group
            group.append(self._waiting.popleft())
        self._some.clear()
        return group

    async def _write(self, tickets: list[_Ticket]) -> None:
        """Append one group and tell its callers. Errors are theirs; the writer goes on."""
        entries = [entry for ticket in tickets for entry in ticket.entries]
        GROUP_EVENTS.observe(len(entries))
        try:
            with self._watched(), GROUP_SECONDS.time():
                outcomes = await append_splitting(self._append, entries)
            self._answer(tickets, outcomes)
        except Exception as error:
            self._fail(tickets, error)
        finally:
            for ticket in tickets:
                self._let_go(ticket)
                if not ticket.done.done():  # The writer is being stopped.
                    ticket.done.set_exception(Unavailable(STOPPING))

    def _answer(self, tickets: list[_Ticket], outcomes: list[Outcome]) -> None:
        begin = 0
        for ticket in tickets:
            end = begin + len(ticket.entries)
            if not ticket.done.done():
                ticket.done.set_result(outcomes[begin:end])
            begin = end

    def _fail(self, tickets: list[_Ticket], error: Exception) -> None:
        """Tell the callers of a group that it was not, or perhaps not, committed."""
        away = is_outage(error)
        if away:
            self._log.warning("append_failed", callers=len(tickets), error=repr(error)[:500])
        for ticket in tickets:
            if not ticket.done.done():
                ticket.done.set_exception(Unavailable(AWAY) if away else error)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """While an append takes too long, nobody else is to wait behind it."""
        hangs = False

        def note() -> None:
            nonlocal hangs
            hangs = True
            self._hanging += 1
            self._log.error("append_hangs", longer_than_seconds=self._limits.patience)
            self._refuse_waiting(AWAY)

        watch = asyncio.get_running_loop().call_later(self._limits.patience, note)
        try:
            yield
        finally:
            watch.cancel()
            self._hanging -= hangs

    def _refuse_waiting(self, reason: str) -> None:
        while self._waiting:
            ticket = self._waiting.popleft()
            self._let_go(ticket)
            if not ticket.done.done():
                ticket.done.set_exception(Unavailable(reason))

    def _let_go(self, ticket: _Ticket) -> None:
        self._held_entries -= len(ticket.entries)
        self._held_bytes -= ticket.size


def size_of(entry: Entry) -> int:
    """Answer about how many bytes an entry takes in memory."""
    return len(entry.payload) + len(entry.profile) + ENTRY_OVERHEAD_BYTES
