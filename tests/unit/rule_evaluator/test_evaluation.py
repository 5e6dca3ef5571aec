"""The evaluation: term after term, and an end only when it is told to."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hairspring.ownership.memory import MemoryOwnership, MemoryShards
from hairspring.ownership.port import Fenced, Owned
from hairspring.services.rule_evaluator.evaluation import Evaluation

from tests.simulation.loop import VirtualLoop


class _Notices:
    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[asyncio.Event]:
        yield asyncio.Event()


class _Terms:
    """Terms of which the first few fail; `served` is set by the one after them."""

    def __init__(self, errors: list[Exception]) -> None:
        self._errors = errors
        self.served = asyncio.Event()
        self.busy = asyncio.Event()

    def __call__(self, owned: dict[int, Owned]) -> Any:
        self.owned = owned
        return self

    def notice_plans(self) -> None:
        pass

    async def run(self) -> None:
        if self._errors:
            await asyncio.sleep(0)
            raise self._errors.pop(0)
        self.served.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self.busy.is_set():
                raise OSError("it failed just when it was told to end") from None
            raise


def _evaluation(terms: _Terms) -> Evaluation:
    ownership = MemoryOwnership("one", MemoryShards(2, lambda: 1_800_000_000_000))
    notices: Any = _Notices()
    book: Any = None
    return Evaluation(ownership, notices, book, "plans", terms)


@pytest.mark.parametrize(
    "error", [OSError("Postgres is away"), Fenced([1]), ValueError("a mistake")], ids=repr
)
async def test_a_term_that_fails_is_followed_by_another(error: Exception) -> None:
    """Whatever ends a term, the replica goes on with the shards that it holds."""
    terms = _Terms([error])
    running = asyncio.create_task(_evaluation(terms).run())
    async with asyncio.timeout(10):
        await terms.served.wait()
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_it_ends_though_a_term_fails_just_then() -> None:
    """A failure that comes with the order to end does not make it begin again."""
    terms = _Terms([OSError("Postgres is away")])
    terms.busy.set()
    running = asyncio.create_task(_evaluation(terms).run())
    async with asyncio.timeout(10):
        await terms.served.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


class _Failing(_Terms):
    """Terms that fail at once, but for one that serves an hour first; notes when each began."""

    def __init__(self, calm: int, most: int) -> None:
        super().__init__([])
        self.began: list[float] = []
        self._calm, self._most = calm, most

    async def run(self) -> None:
        self.began.append(asyncio.get_running_loop().time())
        if len(self.began) == self._most:
            self.served.set()
            await asyncio.Event().wait()
        await asyncio.sleep(3_600 if len(self.began) == self._calm else 0)
        raise OSError("Postgres is away")


def test_pauses_grow_until_a_term_has_served_for_a_while() -> None:
    """After failures in a row it waits two seconds, after an hour of work a moment again."""
    loop = VirtualLoop(random.Random(1))
    terms = _Failing(calm=9, most=10)

    async def serve() -> None:
        running = asyncio.create_task(_evaluation(terms).run())
        await terms.served.wait()
        running.cancel()
        await asyncio.wait({running})

    loop.run_until_complete(loop.create_task(serve()))
    loop.close()
    pauses = [later - earlier for earlier, later in itertools.pairwise(terms.began)]
    assert pauses[7] == pytest.approx(2)
    assert pauses[8] == pytest.approx(3_600.05)
