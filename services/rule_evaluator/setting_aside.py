"""Setting aside: when a turn raises, finds out by what, so that it harms nobody else.

Folding is pure, so a turn can be tried again without effects. It is done profile by profile and
step by step; a step that raises again and again, each time from what is stored, is left out, and
told with its error. An event that is left out is passed by; any other step holds its profile:
nothing of it is judged until it has been folded anew.
"""

import sys
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hairspring.database.pool import DatabaseUnavailable
from hairspring.engine.state import ProfileState
from hairspring.ownership.port import Fenced
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import may_be_mistake
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.services.rule_evaluator.quarantine import Quarantine, pause_ms
from hairspring.services.rule_evaluator.work import EventRecord
from hairspring.store.port import Key, Stored
from hairspring.store.quarantine import SetAside, What
from hairspring.timers.port import QueueUnavailable

TRIES = 3
UNREAD = -1  #: The place of the reading of a profile, before its steps.
MOST_EVENTS = 20  #: Of a profile; where one more fails, the profile is held.
LONGEST_MESSAGE = 500
LONGEST_TRACEBACK = 4_000

_OTHERS = (Fenced, DatabaseUnavailable, QueueUnavailable)


def may_be_poison(error: Exception) -> bool:
    """Tells whether an error may come from what is evaluated, and not from a server or owner."""
    return not isinstance(error, _OTHERS) and may_be_mistake(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One step of what a turn does to a profile; `instead` is done where it is left out."""

    what: What
    do: Callable[[Fold], Awaitable[None]]
    record: EventRecord | None = None
    instead: Callable[[Fold], None] | None = None


Pieces = Callable[[Key, Stored], Sequence[Piece]]
"""What a turn does to a profile that stands so."""


class _Raised(Exception):
    """A step raised; `at` is its place, or UNREAD."""

    def __init__(self, at: int, piece: Piece | None, error: Exception) -> None:
        super().__init__(str(error))
        self.at, self.piece, self.error = at, piece, error


@dataclass(slots=True)
class _LeftOut:
    """Steps that are left out: some places, and all from `end` on."""

    places: set[int] = field(default_factory=set)
    end: int = sys.maxsize

    def __contains__(self, at: int) -> bool:
        return at in self.places or at >= self.end


class Sifting:
    """Does turns step by step. `fresh` reads profiles as they are stored."""

    def __init__(
        self,
        fresh: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Stored]]],
        new_fold: Callable[[dict[Key, Stored]], Fold],
        quarantine: Quarantine,
        clock: Clock,
    ) -> None:
        self._fresh = fresh
        self._new_fold = new_fold
        self._quarantine = quarantine
        self._clock = clock

    async def sift(self, parts: Mapping[Key, Pieces], position: int) -> tuple[Fold, list[SetAside]]:
        """What follows from the parts of a turn that can be done, and those that cannot."""
        whole, found = self._new_fold({}), list[SetAside]()
        read = await self._read(list(parts))
        for key, pieces in parts.items():
            fold, aside = await self._sift_one(key, pieces, position, read.pop(key, None))
            whole.absorb(fold)
            found += aside
        return whole, found

    async def _read(self, keys: Sequence[Key]) -> dict[Key, Stored]:
        """Reads all at once, or none where one cannot be read."""
        try:
            return dict(await self._fresh(keys))
        except Exception as error:
            if not may_be_poison(error):
                raise
            return {}

    async def _sift_one(
        self, key: Key, pieces: Pieces, position: int, stored: Stored | None
    ) -> tuple[Fold, list[SetAside]]:
        """Tries until what is left raises no more; where a step is left out, its `instead` is done.

        Of a profile that is held from a step on, all that follow are left out.
        """
        failures: Counter[int] = Counter()
        left_out = _LeftOut()
        aside: list[SetAside] = []
        while True:
            try:
                return await self._try(key, pieces, left_out, stored), aside
            except _Raised as raised:
                at, stored = raised.at, None
                failures[at] += 1
                if failures[at] < TRIES:
                    continue
                events = self._quarantine.entries(key) + len(aside)
                found = self._described(key, raised, position, too_many=events >= MOST_EVENTS)
                aside.append(found)
                left_out.places.add(at)
                if found.holds:
                    left_out.end = at

    async def _try(
        self, key: Key, pieces: Pieces, left_out: _LeftOut, stored: Stored | None
    ) -> Fold:
        """Does the steps that are not left out. Raises _Raised."""
        if stored is None:
            try:
                stored = await self._stored(key, read=UNREAD not in left_out)
            except Exception as error:
                raise _raised(UNREAD, None, error) from error
        fold = self._new_fold({key: stored})
        for at, piece in enumerate(pieces(key, stored)):
            if at in left_out:
                if piece.instead is not None:
                    piece.instead(fold)
                continue
            try:
                await piece.do(fold)
                fold.effects({}, 0)  # what cannot be written is no better
            except Exception as error:
                raise _raised(at, piece, error) from error
        return fold

    async def _stored(self, key: Key, *, read: bool) -> Stored:
        return (await self._fresh([key]))[key] if read else Stored(state=ProfileState())

    def _described(self, key: Key, raised: _Raised, position: int, *, too_many: bool) -> SetAside:
        what = raised.piece.what if raised.piece is not None else What.STATE
        holds = what not in (What.EVENT, What.FILL) or too_many
        record = raised.piece.record if raised.piece is not None else None
        error, now = raised.error, self._clock()
        return SetAside(
            key=key,
            position=record.position if record is not None else position,
            what=what,
            holds=holds,
            message_id=record.event.message_id if record is not None else "",
            event_name=record.event.name if record is not None else "",
            plan_version=self._quarantine.plan_version(key),
            error_type=type(error).__name__,
            error_message=bounded(str(error), LONGEST_MESSAGE),
            traceback=traceback_of(error),
            tries=TRIES,
            failed_at=now,
            retry_at=now + pause_ms(0) if holds else None,
        )


def _raised(at: int, piece: Piece | None, error: Exception) -> Exception:
    return _Raised(at, piece, error) if may_be_poison(error) else error


def traceback_of(error: BaseException) -> str:
    """The traceback of an error in text; of a long one, its end."""
    text = "".join(traceback.format_exception(error))
    return bounded(text[-LONGEST_TRACEBACK:], LONGEST_TRACEBACK)


def bounded(text: str, longest: int) -> str:
    """A text that a column takes: not too long, without NUL and lone surrogates."""
    return text[:longest].replace("\0", "").encode("utf-8", "replace").decode()
