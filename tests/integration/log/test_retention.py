"""Old partitions are dropped whole, while others append and read."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hairspring.log.port import PositionLost
from hairspring.log.retention import Retention

from tests.contract.log.log_contract import entry, positions
from tests.contract.log.opened import SCHEMA, OpenedLog
from tests.support.cluster import now
from tests.support.waiting import eventually

DAY = 86_400_000
MOST_KEPT = 150  #: Positions, in partitions of five.


@pytest.fixture
async def retention(opened: OpenedLog) -> Retention:
    """The retention of an empty log."""
    return Retention(opened.pool, SCHEMA)


async def fill(opened: OpenedLog, width: int, count: int) -> None:
    """Append records to partitions of so many each."""
    await opened.pool.execute(f"UPDATE {SCHEMA}.lane SET partition_span = 0")
    await opened.pool.execute(f"SELECT {SCHEMA}.log_recut(0, {width}, 1000)")
    for _ in range(count):
        await opened.log.append([entry()])


async def parts(opened: OpenedLog) -> list[tuple[int, int | None]]:
    """The first and last positions of the partitions."""
    rows = await opened.pool.fetch(f"SELECT first, last FROM {SCHEMA}.log_partitions()")
    return [(row["first"], row["last"]) for row in rows]


async def test_whole_partitions_go_once_all_in_them_is_old(
    opened: OpenedLog, retention: Retention
) -> None:
    """What is younger, not full, or not read yet by who has to, stays; the reader is told."""
    await fill(opened, 10, 35)
    [last_old] = await opened.log.get([20])
    await opened.pool.execute(
        f"UPDATE {SCHEMA}.log SET accepted_at = accepted_at - {DAY} WHERE position <= 20"
    )

    waiting = await retention.trim(before=now(), through=9)
    young = await retention.trim(before=last_old.accepted_at - 2 * DAY, through=35)
    done = await retention.trim(before=last_old.accepted_at - DAY // 2, through=35)
    rest = await retention.trim(before=now() + DAY, through=35)
    known = await retention.trimmed()

    assert (waiting, young) == (None, None)
    assert done is not None
    assert (done.position, done.accepted_at) == (20, last_old.accepted_at - DAY)
    assert rest is not None
    assert (rest.position, known) == (30, rest)
    assert (await parts(opened))[0] == (31, 40)
    assert positions([b async for b in opened.log.tail(None, stop_at_head=True)]) == [
        *range(31, 36)
    ]
    with pytest.raises(PositionLost):
        await anext(aiter(opened.log.tail(None, after=12)))
    assert [done.position for done in await opened.log.append([entry()])] == [36]


async def test_nobody_notices_who_appends_or_follows(
    opened: OpenedLog, retention: Retention
) -> None:
    """With partitions going all the while, a reader misses nothing and appends go on."""
    await fill(opened, 5, 5)
    stop, read, trimmed = asyncio.Event(), list[int](), 0

    async def append() -> None:
        head = 0
        while not stop.is_set():
            if head < trimmed + MOST_KEPT:  # Postgres has no locks for any number of partitions
                head = (await opened.log.append([entry(), entry()]))[-1].position
            else:
                await asyncio.sleep(0.001)

    async def follow() -> None:
        async with aclosing(opened.log.tail(None)) as batches:
            async for batch in batches:
                read.extend(record.position for record in batch.records)

    tasks = [asyncio.create_task(append()), asyncio.create_task(follow())]
    for _ in range(6):
        await eventually(lambda: len(read) > 20, timeout=20)
        wanted = read[-1] + 10
        await eventually(lambda wanted=wanted: read[-1] >= wanted, timeout=20)
        await retention.trim(before=now() + DAY, through=read[-1])
        trimmed = read[-1]
    stop.set()
    await tasks[0]  # so that nothing is appended behind the last one
    head = await opened.log.append([entry()])
    await eventually(lambda: read[-1] == head[0].position, timeout=20)
    tasks[1].cancel()
    await asyncio.wait(tasks)

    assert read == [*range(1, head[0].position + 1)]
    assert (await parts(opened))[0][0] > 20


async def test_what_was_interrupted_is_ended(opened: OpenedLog, retention: Retention) -> None:
    """A partition that was trimmed, or detached, and not dropped, goes at the next time."""
    await fill(opened, 10, 35)
    await opened.pool.execute(f"UPDATE {SCHEMA}.lane SET trimmed = 20")
    await opened.pool.execute(
        f"ALTER TABLE {SCHEMA}.log DETACH PARTITION {SCHEMA}.log_0000000000000001"
    )

    assert await retention.trim(before=0, through=35) is None

    assert (await parts(opened))[0] == (21, 30)
    left = await opened.pool.fetchval(
        "SELECT count(*) FROM pg_tables WHERE tablename = 'log_0000000000000001'"
    )
    assert left == 0


async def test_partitions_come_to_last_as_long_as_they_are_to(
    opened: OpenedLog, retention: Retention
) -> None:
    """The one in use is closed, unless it is large; the next are as wide as records come fast."""
    for _ in range(7):
        await opened.log.append([entry()])
    before = await opened.log.read(0, 10)

    await retention.settle(16 * DAY)
    await retention.settle(16 * DAY)

    assert await opened.log.read(0, 10) == before
    assert await parts(opened) == [(1, 7), (8, None)]
    lane = await opened.pool.fetchrow(f"SELECT * FROM {SCHEMA}.lane")
    assert (lane["partition_span"], lane["partitioned_through"]) == (DAY, 10_007)
    # Ten thousand within half a day: the next takes twice as many.
    await opened.pool.execute(f"UPDATE {SCHEMA}.lane SET extended_at = extended_at - {DAY // 2}")
    await opened.log.append([entry() for _ in range(20)])
    lane = await opened.pool.fetchrow(f"SELECT * FROM {SCHEMA}.lane")
    assert 19_000 < lane["partition_width"] <= 20_000
    assert await opened.log.head() == 27


async def test_a_large_partition_is_left_until_it_is_full(
    opened: OpenedLog, retention: Retention
) -> None:
    """Only what comes behind it is cut anew."""
    await opened.log.append([entry() for _ in range(20)])

    await retention.settle(16 * DAY, most_to_close=10)

    assert await parts(opened) == [(1, None)]
    lane = await opened.pool.fetchrow(f"SELECT * FROM {SCHEMA}.lane")
    assert (lane["partition_width"], lane["partitioned_through"]) == (10_000, 5_000_000)
