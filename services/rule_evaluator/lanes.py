"""Lanes: shards that are slow, or far behind, are evaluated beside the others, not before them.

A term reads its shards in the one order of the log, so the slowest of them sets the pace of all.
A lane is a term of its own over some of the shards. Mostly there is one. Shards that stand far
behind at the beginning, as after a take-over, get a lane; so does a shard that crowds out the
others of its lane for seconds. Lanes take turns on the event loop, so each has its share.
"""

import asyncio
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence

from hairspring.ownership.port import Owned
from hairspring.runtime.cancelling import kept
from hairspring.runtime.errors import Unavailable
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.term import Term
from hairspring.services.rule_evaluator.work import Reader, SlowShard, TermEnded
from hairspring.store.port import Key

APART_POSITIONS = 50_000
"""How far behind the foremost shards others are read in a lane of their own."""

MOST_LANES = 4

MakeTerm = Callable[[Mapping[int, Owned]], Term]


class Lanes:
    """The terms that serve the shards of a replica, as one."""

    def __init__(
        self, owned: Mapping[int, Owned], make: MakeTerm, *, apart: int | None = None
    ) -> None:
        self._make = make
        self._terms = [
            make(group) for group in divide(owned, APART_POSITIONS if apart is None else apart)
        ]
        self._finishing = False
        self._log = get_logger()
        self._note()

    @property
    def terms(self) -> Sequence[Term]:
        """The term of each lane."""
        return self._terms

    async def run(self) -> None:
        """Serves all lanes until one of them fails, or until the end that `finish` asked for."""
        async with asyncio.TaskGroup() as tasks:
            for term in self._terms:
                tasks.create_task(self._serve(term), name="lane")

    def finish(self) -> None:
        """Ends every lane after the turn in hand, with everything that was read committed."""
        self._finishing = True
        for term in self._terms:
            term.finish()

    def notice_plans(self) -> None:
        """Tells that there may be a new plan version."""
        for term in self._terms:
            term.notice_plans()

    async def look(self, keys: Sequence[Key], *, through: int, reader: Reader) -> None:
        """Has profiles judged behind a barrier at `through` (milliseconds, UTC), and read.

        Raises Unavailable where ingest does not answer, or a shard is changing its lane.
        """
        parts: dict[int, list[Key]] = {}
        for key in keys:
            parts.setdefault(self._lane_of(key), []).append(key)
        await asyncio.gather(
            *(
                self._terms[lane].look(part, through=through, reader=reader)
                for lane, part in parts.items()
            )
        )

    def _lane_of(self, key: Key) -> int:
        for lane, term in enumerate(self._terms):
            if key.shard in term.owned:
                return lane
        raise Unavailable("this replica does not own the shard of that profile now; ask again")

    async def _serve(self, term: Term) -> None:
        """Serves one lane; where it is to be divided, goes on with its parts."""
        try:
            # In a task of its own, for the reason that is told in `evaluation.py`. Where all lanes
            # are ended just as this one is to be divided, its parts would go on for ever.
            await kept(asyncio.create_task(term.run(), name="term"))
        except ExceptionGroup as errors:
            slow = errors.subgroup(SlowShard)
            if slow is None or errors.split((SlowShard, TermEnded))[1] is not None:
                raise
            parts = self._divided(term, _first(slow))
        else:
            return
        if self._finishing:
            return
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(self._serve(part), name="lane")

    def _divided(self, term: Term, slow: SlowShard) -> list[Term]:
        """A lane for the slow shard, and one for the others, from where they stand."""
        owned = term.standing()
        alone = {slow.shard: owned.pop(slow.shard)}
        self._log.info("shard_set_apart", shard=slow.shard, position=term.position)
        parts = [self._make(owned), self._make(alone)]
        lane = self._terms.index(term)
        self._terms[lane : lane + 1] = parts
        self._note()
        return parts

    def _note(self) -> None:
        self.owned: Mapping[int, Owned] = ChainMap(*(term.owned for term in self._terms))
        for term in self._terms:
            term.may_divide = len(self._terms) < MOST_LANES


def divide(owned: Mapping[int, Owned], apart: int) -> list[dict[int, Owned]]:
    """Groups shards: the foremost, and those that stand so many positions behind them or more."""
    foremost = max(one.position for one in owned.values())
    groups: tuple[dict[int, Owned], dict[int, Owned]] = ({}, {})
    for shard, one in owned.items():
        groups[foremost - one.position >= apart][shard] = one
    return [group for group in groups if group]


def _first(errors: BaseExceptionGroup[SlowShard]) -> SlowShard:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, SlowShard), "the group holds nothing else"
    return error
