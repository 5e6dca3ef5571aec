"""What waits to be done in the shards that are owned: records, wake-ups and rebuilds."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hairspring.contracts.event.v1 import event_pb2
from hairspring.engine.events import Event
from hairspring.log.port import Barrier
from hairspring.store.port import FILL, Key, Rebuild, Stored
from hairspring.store.quarantine import Retry

MOST_RECORDS_WAITING = 5_000
MOST_RECORDS_A_TURN = 2_000
MOST_EVENTS_A_FOLDING = 500  #: Some ten milliseconds, in which live events wait.
EVENTS_OF_A_PROFILE = 15  #: What a profile takes beside its events, in such.

EventRecord = event_pb2.EventRecord
Reader = Callable[[Key, Stored], None]


def _read_nothing(key: Key, stored: Stored) -> None:
    """For a wake-up that nobody waits to read after."""


@dataclass(slots=True, kw_only=True)
class Wake:
    """Profiles to be looked at once everything up to the barrier has been applied.

    `reader` is called for each of them after the commit, before anything else is applied.
    """

    keys: Sequence[Key]
    barrier: Barrier
    rung: bool = False
    reader: Reader = _read_nothing
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a rebuild folds: `events` up to its position, and, of what is filled, the `later` ones
    that were judged without it meanwhile, up to the position `through`, each in log order.
    """

    events: Sequence[Event]
    later: Sequence[Event] = ()
    through: int = 0

    def __len__(self) -> int:
        return len(self.events) + len(self.later)


Histories = Mapping[Rebuild, History]


@dataclass(slots=True, kw_only=True)
class Folding:
    """Rebuilds, most of whose histories have been read already."""

    todo: Sequence[Rebuild]
    histories: Histories
    seconds: float = 0.0  #: How long the turn took that did them.
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


def portions(ready: Sequence[Rebuild], histories: Histories) -> Iterator[Folding]:
    """Rebuilds a few at a time, so that none holds up live events for long, in their order.

    A history that is longer than that is a portion of its own.
    """
    todo: list[Rebuild] = []
    events = 0
    for rebuild in ready:
        more = EVENTS_OF_A_PROFILE + len(histories.get(rebuild, ()))
        if todo and events + more > MOST_EVENTS_A_FOLDING:
            yield _folding(todo, histories)
            todo, events = [], 0
        todo.append(rebuild)
        events += more
    if todo:
        yield _folding(todo, histories)


def _folding(todo: Sequence[Rebuild], histories: Histories) -> Folding:
    return Folding(todo=todo, histories={one: histories[one] for one in todo if one in histories})


@dataclass(slots=True, kw_only=True)
class Retries:
    """Profiles in quarantine that are to be folded anew, after what else there is to do."""

    retries: Sequence[Retry]
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(slots=True, kw_only=True)
class Turn:
    """What is done in one transaction.

    Either `records` are events, deletions and merges, or they all say that an import has finished.
    """

    records: list[EventRecord]
    position: int
    finishing: bool = False
    deletions: list[EventRecord] = field(default_factory=list)  #: Those among the records.
    merging: bool = False  #: Some records say that profiles were merged.
    wakes: list[Wake] = field(default_factory=list)
    folding: Folding | None = None
    retries: Retries | None = None

    def settle(self, error: BaseException | None = None) -> None:
        """Tells those who wait how it went."""
        waiting = [wake.done for wake in self.wakes]
        if self.folding is not None:
            waiting.append(self.folding.done)
        if self.retries is not None:
            waiting.append(self.retries.done)
        for future in waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
                future.exception()  # Nobody may be waiting any more.


class Inbox:
    """Gathers work and hands it out turn by turn."""

    def __init__(self, position: int) -> None:
        self.position = position  #: Everything up to here has been handed out.
        self.received = position  #: Everything up to here has come in.
        self.bell = asyncio.Event()
        self._room = asyncio.Event()
        self._records: deque[EventRecord] = deque()
        self._wakes: list[Wake] = []
        self._foldings: deque[Folding] = deque()
        self._retries: deque[Retries] = deque()
        self._closed: BaseException | None = None

    async def put(self, records: Sequence[EventRecord], through: int) -> None:
        """Takes records of the log; waits while too many are waiting."""
        while len(self._records) >= MOST_RECORDS_WAITING:
            self._room.clear()
            await self._room.wait()
        self._records.extend(records)
        self.received = max(self.received, through)
        self.bell.set()

    def wake(self, wake: Wake) -> None:
        """Takes a wake-up. Raises what the inbox was closed with, if it was."""
        if self._closed is not None:
            raise self._closed
        self._wakes.append(wake)
        self.bell.set()

    def fold(self, folding: Folding) -> None:
        """Takes rebuilds. Raises what the inbox was closed with, if it was."""
        if self._closed is not None:
            raise self._closed
        self._foldings.append(folding)
        self.bell.set()

    def retry(self, retries: Retries) -> None:
        """Takes profiles to be folded anew. Raises what the inbox was closed with, if it was."""
        if self._closed is not None:
            raise self._closed
        self._retries.append(retries)
        self.bell.set()

    def take(self) -> Turn | None:
        """The next turn, or None while there is nothing to do."""
        turn = self._take_records()
        if self._records:
            turn.position = turn.records[-1].position
        position = turn.position
        turn.wakes = [wake for wake in self._wakes if wake.barrier.position <= position]
        if turn.wakes and not turn.finishing:
            self._wakes = [wake for wake in self._wakes if wake.barrier.position > position]
        else:
            turn.wakes = []
        if self._foldings and not turn.finishing:
            turn.folding = self._foldings.popleft()
        if self._retries and not turn.finishing:
            turn.retries = self._retries.popleft()
        self.position = position
        self._room.set()
        if not turn.records and not turn.wakes and turn.folding is None and turn.retries is None:
            return None
        return turn

    def __len__(self) -> int:
        return len(self._records)

    def crowded_by(self) -> int | None:
        """The shard that most of the waiting records are of, where no more are taken in."""
        if len(self._records) < MOST_RECORDS_WAITING:
            return None
        [(shard, count)] = Counter(record.shard for record in self._records).most_common(1)
        return shard if 2 * count > len(self._records) else None

    def close(self, error: BaseException) -> None:
        """Tells everybody who still waits, or comes later, that nothing will come of it here."""
        self._closed = error
        rest = Turn(records=[], position=self.position, wakes=self._wakes)
        rest.settle(error)
        for folding in self._foldings:
            Turn(records=[], position=self.position, folding=folding).settle(error)
        for retries in self._retries:
            Turn(records=[], position=self.position, retries=retries).settle(error)
        self._wakes, self._foldings, self._retries = [], deque(), deque()

    def _take_records(self) -> Turn:
        """Takes records of one sort: all but ends of imports, or ends of one of a workspace."""
        turn = Turn(records=[], position=self.received)
        sort: tuple[str, ...] | None = None
        while self._records and len(turn.records) < MOST_RECORDS_A_TURN:
            record = self._records[0]
            body = record.WhichOneof("body")
            finished = body == "import_finished"
            found = (record.workspace_id, record.import_finished.import_id) if finished else ()
            if sort is not None and found != sort:
                break
            sort = found
            turn.finishing = finished
            turn.records.append(self._records.popleft())
            if body == "profile_deleted":
                turn.deletions.append(record)
            elif body != "event" and not finished:
                turn.merging = True
        return turn


class TermEnded(Exception):
    """The evaluation of a shard was interrupted; it goes on from what was committed."""


class SlowShard(Exception):
    """A shard crowds out the others of its lane, and is to get one of its own."""

    def __init__(self, shard: int) -> None:
        super().__init__(f"shard {shard} crowds out the others")
        self.shard = shard


def key_of(record: EventRecord) -> Key:
    """Whose record it is."""
    return Key(record.shard, record.workspace_id, record.profile_id)


def waiting_rebuilds(stored: Stored) -> list[Rebuild]:
    """The rebuilds of a profile that can be done, the earliest first.

    At one position an import comes before what is filled from there.
    """
    ready = [todo for todo in stored.rebuilds if todo.position is not None]
    return sorted(ready, key=lambda todo: (todo.position or 0, todo.cause == FILL, todo.cause))
