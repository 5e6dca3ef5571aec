"""Keeps what could not be accepted: in batches, beside what is accepted, and bounded.

Whoever is told that something was refused can rely on it being kept; but a flood is not waited
for: what has no room in the queue, or in the day, is dropped and counted.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from hairspring.contracts.event.v1 import event_pb2
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import Unavailable, is_outage
from hairspring.runtime.logging import get_logger
from hairspring.services.ingest.metrics import REJECTS
from hairspring.services.ingest.recording import Recording, Result, Status

CALL, BODY, EVENT = "call", "body", "event"
"""How something came: as a call over HTTP, as a body with no calls in it, as an event of gRPC."""

KEPT_DAYS = 7
MOST_PAYLOAD = 64 * 1024
"""The most bytes that are kept of what was sent."""

OVERHEAD = 300
AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Something that could not be accepted, and why. `received_at` is in ms, UTC.

    What was sent is a call as JSON (with the envelope of its batch), a body, or an Event.
    """

    workspace: str
    received_at: int
    source: str
    code: str
    problem: str
    message_id: str = ""
    profile: str = ""
    kind: str = ""
    cut: bool = False
    envelope: bytes = b""
    payload: bytes = b""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return OVERHEAD + len(self.payload) + len(self.envelope) + len(self.problem)


def reject_of(
    workspace: str,
    received_at: int,
    source: str,
    code: str,
    problem: str,
    *,
    payload: bytes = b"",
    envelope: bytes = b"",
    withheld: bool = False,
    message_id: str = "",
    profile: str = "",
    kind: str = "",
) -> Reject:
    """Make a reject whose every part is bounded and can be stored; `withheld` keeps no payload."""
    cut = withheld or len(payload) > MOST_PAYLOAD or len(envelope) > MOST_PAYLOAD
    return Reject(
        workspace=workspace,
        received_at=received_at,
        source=source,
        code=code,
        problem=_text(problem, 1_000),
        message_id=_text(message_id, 255),
        profile=_text(profile, 255),
        kind=kind,
        cut=cut,
        envelope=b"" if cut else envelope,
        payload=b"" if withheld else payload[:MOST_PAYLOAD],
    )


def rejects_of(
    workspace: str, received_at: int, events: Sequence[event_pb2.Event], results: Sequence[Result]
) -> list[Reject]:
    """Make rejects of those events of a call over gRPC that were refused."""
    return [
        reject_of(
            workspace,
            received_at,
            EVENT,
            "refused",
            result.problem,
            payload=event.SerializeToString(),
            message_id=result.message_id,
            profile=event.profile_id or event.anonymous_id,
        )
        for event, result in zip(events, results, strict=True)
        if result.status is Status.REFUSED
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may wait to be kept, and how long (seconds) whoever is refused waits for it."""

    queue: int = 5_000
    queue_bytes: int = 16 * 1024 * 1024
    patience: float = 2.0


Keep = Callable[[Sequence[Reject]], Awaitable[int]]
"""Keeps rejects as far as there is room, and answers how many."""


class RejectLog:
    """Gathers rejects of many callers and keeps them; `run` is its loop."""

    def __init__(self, keep: Keep, bounds: Bounds | None = None) -> None:
        self._keep = keep
        self._bounds = bounds or Bounds()
        self._waiting: deque[tuple[Sequence[Reject], asyncio.Future[None]]] = deque()
        self._held = self._bytes = 0
        self._some = asyncio.Event()
        self._log = get_logger()

    async def add(self, rejects: Sequence[Reject]) -> None:
        """Keep rejects; what there is no room for is dropped, and counted.

        Raises Unavailable where nothing can be written just now: then it was refused by nobody,
        and is to be sent again.
        """
        if not rejects:
            return
        size = sum(one.size for one in rejects)
        if self._held and (
            self._held + len(rejects) > self._bounds.queue
            or self._bytes + size > self._bounds.queue_bytes
        ):
            REJECTS.labels("dropped").inc(len(rejects))
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((rejects, done))
        self._held += len(rejects)
        self._bytes += size
        self._some.set()
        try:
            async with asyncio.timeout(self._bounds.patience):
                await done
        except TimeoutError:
            raise Unavailable("the database does not answer just now; try again") from None

    async def run(self) -> None:
        """Keep what comes, without end."""
        while True:
            await self._some.wait()
            group = self._take()
            rejects = [one for some, _ in group for one in some]
            try:
                kept = await self._keep(rejects)
                REJECTS.labels("kept").inc(kept)
                REJECTS.labels("dropped").inc(len(rejects) - kept)
                error: Exception | None = None
            except Exception as failure:
                away = is_outage(failure)
                self._log.warning("rejects_not_kept", count=len(rejects), error=repr(failure)[:300])
                error = Unavailable("the database is away just now; try again") if away else failure
            for some, done in group:
                self._let_go(some)
                if done.done():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

    def _take(self) -> list[tuple[Sequence[Reject], asyncio.Future[None]]]:
        """Take the next of what waits, leaving out callers that have gone."""
        group: list[tuple[Sequence[Reject], asyncio.Future[None]]] = []
        count = 0
        while self._waiting and count < AT_ONCE:
            some, done = self._waiting.popleft()
            if done.done():
                self._let_go(some)
                continue
            group.append((some, done))
            count += len(some)
        if not self._waiting:
            self._some.clear()
        return group

    def _let_go(self, rejects: Sequence[Reject]) -> None:
        self._held -= len(rejects)
        self._bytes -= sum(one.size for one in rejects)


def _text(said: str, most: int) -> str:
    """Make a text that a column can hold: bounded, without U+0000 and halves of characters."""
    return said[:most].replace("\0", "").encode("utf-8", "replace").decode()


class RejectingRecording(Recording):
    """Records events as `Recording` does, and keeps those that are refused."""

    def __init__(self, inner: Recording, rejects: RejectLog, clock: Clock) -> None:
        self._inner = inner
        self._rejects = rejects
        self._clock = clock

    async def record(self, workspace: str, events: Sequence[event_pb2.Event]) -> list[Result]:
        """Record live events. Raises Unavailable or Exhausted when nothing can be promised."""
        results = await self._inner.record(workspace, events)
        if any(result.status is Status.REFUSED for result in results):
            await self._rejects.add(rejects_of(workspace, self._clock(), events, results))
        return results

    async def import_events(
        self, workspace: str, import_id: str, events: Sequence[event_pb2.Event]
    ) -> list[Result]:
        """Record history; whoever imports keeps what is refused beside the file it stands in."""
        return await self._inner.import_events(workspace, import_id, events)
