"""The evaluation: one term after another, for as long as the process lives."""

import asyncio
from collections.abc import Callable, Sequence

import asyncpg
from hairspring.database.notices import Notices
from hairspring.database.pool import DatabaseUnavailable
from hairspring.ownership.port import Fenced, Owned, Ownership
from hairspring.runtime.errors import Unavailable
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.lanes import Lanes
from hairspring.services.rule_evaluator.plans import PlanBook
from hairspring.services.rule_evaluator.work import Reader
from hairspring.store.port import Key

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0

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
        self._log = get_logger()

    async def run(self) -> None:
        """Serves terms until cancelled; each begins from what Postgres holds."""
        pause = FIRST_PAUSE
        while True:
            owned = await self._ownership.stand_by()
            term = self._term = self._make_term(owned)
            self._log.info("term_began", shards=len(owned))
            try:
                # In a task of its own: up to Python 3.12 a group whose member fails leaves the task
                # that waits for it marked as cancelled, and then this one would take it for an end.
                await asyncio.create_task(self._serve(term), name="serving")
            except* (Fenced, OwnershipLost) as errors:
                self._log.warning("term_ended", reason=str(errors.exceptions[0]))
            except* (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, DatabaseUnavailable):
                self._log.warning("term_ended", reason="Postgres does not answer", exc_info=True)
            except* Exception:
                self._log.exception("term_failed")
            else:
                pause = FIRST_PAUSE
            finally:
                self._term = None
            _honour_cancellation()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def look(self, keys: Sequence[Key], *, through: int, reader: Reader) -> None:
        """Has profiles judged behind a barrier, and read right after.

        Raises Unavailable where this replica does not own all of their shards just now.
        """
        term = self._term
        if term is None or any(key.shard not in term.owned for key in keys):
            raise Unavailable("this replica does not own the shard of that profile now; ask again")
        await term.look(keys, through=through, reader=reader)

    async def _serve(self, term: Lanes) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(term.run(), name="term")
            tasks.create_task(self._watch_plans(term), name="plans")
            tasks.create_task(self._watch_ownership(), name="ownership")

    async def _watch_plans(self, term: Lanes) -> None:
        async with self._notices.subscribe(self._channel) as noticed:
            while True:
                noticed.clear()
                term.notice_plans()
                await noticed.wait()

    async def _watch_ownership(self) -> None:
        await self._ownership.lost.wait()
        raise OwnershipLost("others have taken the shards")


def _honour_cancellation() -> None:
    """Ends this task if that was asked for: a group whose tasks fail just then forgets it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class OwnershipLost(Exception):
    """Others have taken what this replica owned."""
