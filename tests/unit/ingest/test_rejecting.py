"""When whoever is refused is answered, and what becomes of a flood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from hairspring.runtime.errors import Unavailable
from hairspring.services.ingest.rejecting import Bounds, Keep, Reject, RejectLog
from prometheus_client import REGISTRY

ONE = Reject(workspace="shop", received_at=0, source="event", code="refused", problem="bad")


@asynccontextmanager
async def running(keep: Keep, **bounds: float) -> AsyncIterator[RejectLog]:
    """A log of rejects whose loop runs."""
    rejects = RejectLog(keep, Bounds(**bounds))  # type: ignore[arg-type]
    loop = asyncio.create_task(rejects.run())
    try:
        yield rejects
    finally:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop


def dropped() -> float:
    """How many were dropped so far."""
    return REGISTRY.get_sample_value("hairspring_ingest_rejects_total", {"fate": "dropped"}) or 0.0


async def test_whoever_is_refused_is_answered_once_it_is_kept() -> None:
    """What comes meanwhile is kept together."""
    let = asyncio.Event()
    groups: list[int] = []

    async def keep(rejects: Sequence[Reject]) -> int:
        groups.append(len(rejects))
        await let.wait()
        return len(rejects)

    async with running(keep) as rejects:
        adding = [asyncio.create_task(rejects.add([ONE])) for _ in range(5)]
        done, _ = await asyncio.wait(adding, timeout=0.05)
        assert done == set()
        let.set()
        await asyncio.gather(*adding)
    assert sum(groups) == 5
    assert len(groups) <= 2


async def test_where_nothing_can_be_kept_nobody_was_refused() -> None:
    """The database is away, or does not answer: it is to be sent again."""

    async def away(rejects: Sequence[Reject]) -> int:
        raise ConnectionRefusedError

    async def hangs(rejects: Sequence[Reject]) -> int:
        await asyncio.Event().wait()
        return 0

    for keep in (away, hangs):
        async with running(keep, patience=0.05) as rejects:
            with pytest.raises(Unavailable):
                await rejects.add([ONE])


async def test_a_flood_is_not_waited_for() -> None:
    """What finds no room is dropped and counted; there is room again once some of it is kept."""
    let = asyncio.Event()

    async def keep(rejects: Sequence[Reject]) -> int:
        await let.wait()
        return len(rejects)

    async with running(keep, queue=3) as rejects:
        before = dropped()
        first = asyncio.create_task(rejects.add([ONE] * 2))
        await asyncio.sleep(0)
        await rejects.add([ONE] * 2)
        assert dropped() - before == 2
        let.set()
        await first
        await rejects.add([ONE] * 2)
        assert dropped() - before == 2
