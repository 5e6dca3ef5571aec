"""The evaluation: one term after another, for as long as the process lives."""

import asyncio
from collections.abc import Callable, Sequence

import asyncpg
from hairspring.database.notices import Notices, wait_until_set
from hairspring.database.pool import DRIVER_ERRORS, DatabaseUnavailable
from hairspring.ownership.port import Fenced, Owned, Ownership
from hairspring.runtime.cancelling import kept
from hairspring.runtime.errors import Unavailable
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.lanes import Lanes
from hairspring.services.rule_evaluator.plans import PlanBook
from hairspring.services.rule_evaluator.work import Reader
from hairspring.store.port import Key

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
CALM_SECONDS = 10.0
"""A term that served this long is followed without the pauses of the failures before it."""
FINISH_SECONDS = 0.5
"""How long the turn in hand may take when the shards are to be shared anew."""

TermMaker = Callable[[dict[int, Owned]], Lanes]


class Evaluation:
    """Owns shards and evaluates them; hands callers to the term that serves now."""

    def __init__(
        self,
        ownership: Ownership,
        notices: Notices,
        book: PlanBook,
        channel: str,
        make_term: TermMaker,
    ) -> None:
        self.book = book
        self._ownership = ownership
        self._notices = notices
        self._channel = channel
        self._make_term = make_term
        self._term: Lanes | None = None
        self._ended = asyncio.Event()
        self._idle = asyncio.Event()
        self._log = get_logger()

    async def run(self) -> None:
        """Serves terms until cancelled or finished; each begins from what Postgres holds."""
        pause = FIRST_PAUSE
        time = asyncio.get_running_loop().time
        while not self._ended.is_set():
            owned = await self._ownership.stand_by()
            began = time()
            # In a task of its own: up to Python 3.12 a group whose member fails leaves the task
            # that waits for it marked as cancelled, and then this one would take it for an end.
            # A term that fails just as this is to end would swallow that.
            as_planned = await kept(asyncio.create_task(self._serve(owned), name="serving"))
            if as_planned or time() - began > CALM_SECONDS:
                pause = FIRST_PAUSE
            if as_planned:
                continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _serve(self, owned: dict[int, Owned]) -> bool:
        """Serves one term; answers whether it ended only for the shards to be shared anew."""
        term = self._term = self._make_term(owned)
        self._idle.clear()
        self._log.info("term_began", shards=len(owned))
        as_planned = False
        try:
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(term.run(), name="term")
                tasks.create_task(self._watch_plans(term), name="plans")
                tasks.create_task(self._watch_ownership(term, serving), name="ownership")
        except* SharesChanged:
            as_planned = True
        except* (Fenced, OwnershipLost) as errors:
            self._log.warning("term_ended", reason=str(errors.exceptions[0]))
        except* (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, DatabaseUnavailable):
            self._log.warning("term_ended", reason="Postgres does not answer", exc_info=True)
        except* Exception:
            self._log.exception("term_failed")
        finally:
            self._term = None
            self._idle.set()
        return as_planned and not self._ownership.lost.is_set()

    async def finish(self) -> None:
        """Ends the term after the turn in hand, in a bounded time, and begins no other."""
        self._ended.set()
        if self._term is not None:
            await wait_until_set(self._idle, 2 * FINISH_SECONDS)

    async def release(self) -> None:
        """Hands the shards over; call it once `run` has ended."""
        try:
            await self._ownership.release()
        except (*DRIVER_ERRORS, DatabaseUnavailable) as error:
            self._log.warning("shards_not_released", error=str(error))

    def owns(self, shard: int) -> bool:
        """Tells whether this replica evaluates a shard now."""
        return self._term is not None and shard in self._term.owned

    async def look(self, keys: Sequence[Key], *, through: int, reader: Reader) -> None:
        """Has profiles judged behind a barrier, and read right after.

        Raises NotOwned where this replica does not own all of their shards just now.
        """
        term = self._term
        if term is None or any(key.shard not in term.owned for key in keys):
            raise NotOwned("this replica does not own the shard of that profile now; ask again")
        await term.look(keys, through=through, reader=reader)

    async def _watch_plans(self, term: Lanes) -> None:
        async with self._notices.subscribe(self._channel) as noticed:
            while True:
                noticed.clear()
                term.notice_plans()
                await noticed.wait()

    async def _watch_ownership(self, term: Lanes, serving: "asyncio.Task[None]") -> None:
        """Ends the term when the shards are lost, or are to be shared anew, or all is to end."""
        await _first_of(self._ownership.lost, self._ownership.unbalanced, self._ended)
        if self._ownership.lost.is_set():
            raise OwnershipLost("others have taken the shards")
        term.finish()
        _, late = await asyncio.wait({serving}, timeout=FINISH_SECONDS)
        if late:
            self._log.warning("turn_broken_off", seconds=FINISH_SECONDS)
        raise SharesChanged


async def _first_of(*events: asyncio.Event) -> None:
    """Waits until one of several events is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


class NotOwned(Unavailable):
    """Another replica owns the shard, or will in a moment."""


class OwnershipLost(Exception):
    """Others have taken what this replica owned."""


class SharesChanged(Exception):
    """The shards are to be shared anew: what is owned will not stay as it is."""
