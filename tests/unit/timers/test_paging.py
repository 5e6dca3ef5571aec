"""The queue is filled from the truth, page by page, up to its horizon."""

from __future__ import annotations

import asyncio

import pytest
from hairspring.timers import QueueLost, Timer
from hairspring.timers.loop import LoopSettings, TimerLoop
from hairspring.timers.memory import MemoryDelayQueue
from hairspring.timers.paging import Paging

from tests.support.waiting import eventually

NOON = 1_800_000_000_000
HORIZON = 1_000
EPOCHS = {0: 1}


class Truth:
    """Stands for Postgres: timers, in the order in which they are read."""

    def __init__(self, *timers: Timer) -> None:
        self.timers = list(timers)
        self.reads = 0
        self.error: Exception | None = None

    async def read(
        self, shard: int, start: int, end: int, after: Timer | None, limit: int
    ) -> list[Timer]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        place = (start, "") if after is None else (after.due_at, after.member)
        found = sorted((t.due_at, t.member) for t in self.timers if t.shard == shard)
        return [timer(m, at - NOON, shard) for at, m in found if place < (at, m) and at < end][
            :limit
        ]


def timer(member: str, in_ms: int, shard: int = 0) -> Timer:
    return Timer(shard=shard, member=member, due_at=NOON + in_ms)


def paging(truth: Truth, page: int = 3) -> tuple[Paging, MemoryDelayQueue]:
    queue = MemoryDelayQueue(lambda: NOON)
    return Paging(queue, truth.read, horizon_ms=HORIZON, page=page), queue


async def rebuild(subject: Paging, *shards: int) -> list[Timer]:
    woken: list[Timer] = []
    epochs = dict.fromkeys(shards, 1)
    subject.wanting(epochs, NOON)
    await subject.rebuild(shards, epochs=epochs, now=lambda: NOON, wake=woken.extend)
    return woken


async def test_many_timers_of_one_moment() -> None:
    """More timers than a page holds, all due in the same millisecond, are all read."""
    truth = Truth(*(timer(f"p{i:02}", 50) for i in range(10)), timer("later", 51))
    subject, queue = paging(truth)
    woken = await rebuild(subject, 0)
    assert await queue.pending([0]) == 11
    assert len(woken) == 11
    assert (await queue.take({0: 2})).ok


async def test_only_what_is_due_soon_is_in_the_queue() -> None:
    """What lies beyond the horizon stays in the truth until the horizon comes near it."""
    truth = Truth(timer("old", -9), timer("near", 999), timer("border", 1_000), timer("far", 1_700))
    subject, queue = paging(truth)
    await rebuild(subject, 0)
    assert await queue.pending([0]) == 2
    for now, pending in ((499, 2), (500, 3), (900, 3), (1_000, 4)):
        for shard in subject.wanting(EPOCHS, NOON + now):
            await subject.page_in(shard, epochs=EPOCHS, now=NOON + now, wake=lambda _: None)
        assert await queue.pending([0]) == pending


async def test_what_moves_into_the_horizon_is_scheduled_at_once() -> None:
    """A far-off timer is left to the truth; moved nearer than the horizon it is scheduled."""
    subject, queue = paging(Truth())
    await rebuild(subject, 0)
    assert await subject.schedule([timer("ada", 5_000), timer("bob", 1_000)], epochs=EPOCHS) == []
    assert await subject.schedule([timer("ada", 900)], epochs=EPOCHS) == [timer("ada", 900)]
    assert await queue.next_due([0]) == NOON + 900


async def test_the_truth_is_not_asked_again_and_again() -> None:
    """Within half of the horizon's length nothing is read, however often one looks."""
    truth = Truth(timer("far", 60_000))
    subject, _ = paging(truth)
    await rebuild(subject, 0)
    reads = truth.reads
    assert [shards for now in range(500) if (shards := subject.wanting(EPOCHS, NOON + now))] == []
    assert truth.reads == reads


async def test_what_is_due_soon_comes_back_first() -> None:
    """When several shards are lost, none waits for what is due much later in another."""
    subject, _ = paging(Truth(timer("a", 10), timer("b", 20, 1), timer("c", 900), timer("d", 5, 2)))
    subject._near = 100
    woken = await rebuild(subject, 0, 1, 2)
    assert [t.member for t in woken][:3] == ["a", "b", "d"]
    assert {t.member for t in woken} == {"a", "b", "c", "d"}


async def test_a_loss_while_paging_in_is_not_hidden() -> None:
    """A shard that is lost while it is paged in is read again from the beginning."""
    subject, queue = paging(Truth(timer("ada", 1_100)))
    await rebuild(subject, 0)
    queue.forget()
    await subject.page_in(0, epochs=EPOCHS, now=NOON + 600, wake=lambda _: None)
    assert subject.wanting(EPOCHS, NOON + 600) == [0]


async def test_a_rebuild_without_an_end_is_no_rebuild() -> None:
    """A loss in the middle of a rebuild is told, and nothing is remembered of it."""
    truth = Truth(timer("ada", 10))
    subject, queue = paging(truth)
    read = truth.read

    async def losing(*arguments: object) -> list[Timer]:
        page = await read(*arguments)  # type: ignore[arg-type]
        queue.forget()
        return page

    subject._read = losing  # type: ignore[assignment]
    with pytest.raises(QueueLost):
        await rebuild(subject, 0)
    assert subject.wanting(EPOCHS, NOON) == [0]


async def test_the_loop_finishes_a_rebuild_that_broke_off() -> None:
    """A shard that was begun, and then could not be read, is rebuilt by one of the next polls.

    To the queue it is its owner's and all there, so that nothing but the loop can remember it.
    """
    truth = Truth(timer("ada", 0))
    subject, queue = paging(truth)
    truth.error = ConnectionResetError("the truth is away")
    rung: list[str] = []

    async def on_due(claims):  # type: ignore[no-untyped-def]
        rung.extend(one.member for one in claims.claimed)
        return claims.claimed

    async def on_lost(shards: frozenset[int]) -> None:
        await subject.rebuild(shards, epochs=EPOCHS, now=loop.now, wake=loop.wake)

    loop = TimerLoop(
        queue,
        epochs=lambda: EPOCHS,
        on_due=on_due,
        on_lost=on_lost,
        settings=LoopSettings(poll_ms=20),
    )
    running = asyncio.create_task(loop.run(), name="timers-under-test")
    await eventually(lambda: truth.reads > 0)
    truth.error = None
    await eventually(lambda: rung == ["ada"])
    loop.stop()
    await running
    assert (await queue.take({0: 2})).ok
