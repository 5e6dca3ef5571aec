"""Appends inside transactions, at the borders of partitions and days, and with odd clocks."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from hairspring.log.port import Entry

from tests.contract.log.log_contract import collect, entry
from tests.contract.log.opened import OpenedLog

DAY_MS = 86_400_000


async def test_an_append_stands_and_falls_with_its_transaction(opened: OpenedLog) -> None:
    """A consumer's own rows and its records are committed together, or not at all."""
    await opened.pool.execute("CREATE TABLE state (profile text PRIMARY KEY, n int)")

    async def effect(fail: bool) -> None:
        async with opened.pool.acquire() as connection, connection.transaction():
            await connection.execute("INSERT INTO state VALUES ('a', 1)")
            await opened.log.append_in(connection, [entry(key=1), entry(key=2)])
            if fail:
                raise RuntimeError("the effect fails")

    with pytest.raises(RuntimeError):
        await effect(fail=True)
    assert await opened.log.head() == 0
    await effect(fail=False)
    assert await opened.log.head() == 2
    assert await opened.pool.fetchval("SELECT n FROM state") == 1


async def test_two_appends_in_one_transaction_follow_each_other(opened: OpenedLog) -> None:
    """A transaction may append more than once; repeats are seen across."""
    async with opened.pool.acquire() as connection, connection.transaction():
        first = await opened.log.append_in(connection, [entry(key=1)])
        second = await opened.log.append_in(connection, [entry(key=1), entry(key=2)])
    assert [done.position for done in first + second] == [1, 0, 2]


async def test_others_wait_for_the_lane_and_nothing_else(opened: OpenedLog) -> None:
    """Readers go on while an append is in flight, and see nothing of it."""
    await opened.log.append([entry()])
    async with opened.pool.acquire() as connection, connection.transaction():
        await opened.log.append_in(connection, [entry()])
        waiting = asyncio.create_task(opened.log.append([entry()]))
        assert await opened.log.head() == 1
        assert len(await opened.log.read(0, 10)) == 1
        assert not waiting.done()
    assert (await waiting)[0].position == 3


async def test_a_batch_that_postgres_refuses_leaves_nothing(opened: OpenedLog) -> None:
    """Text that cannot be stored fails its batch whole, keys included, and the lane is free."""
    for bad in ("a\x00b", "a\ud800b"):
        with pytest.raises((asyncpg.PostgresError, asyncpg.DataError, UnicodeEncodeError)):
            await opened.log.append([entry(key=1), entry(bad, key=2)])
    assert (await opened.log.append([entry(key=1)]))[0].position == 1


async def test_a_large_batch_goes_in_whole(opened: OpenedLog) -> None:
    """Thousands of entries with keys, some of them repeats, take their places in order."""
    entries = [entry(f"p{i}", key=i % 4_000) for i in range(5_000)]
    done = await opened.log.append(entries)
    assert [result.position for result in done] == [*range(1, 4_001), *[0] * 1_000]
    records = await opened.log.read(0, 10_000)
    assert [record.profile for record in records] == [f"p{i}" for i in range(4_000)]


async def test_the_log_crosses_the_borders_of_partitions(opened: OpenedLog) -> None:
    """A batch over a border goes in and is read as one; an empty partition is always ahead."""
    width = await opened.pool.fetchval("SELECT partition_width FROM trial.lane")
    await opened.pool.execute("UPDATE trial.lane SET head = $1, trimmed = $1", width - 3)
    done = await opened.log.append([entry(f"p{i}", key=i) for i in range(6)])
    assert [result.position for result in done] == list(range(width - 2, width + 4))
    (batch,) = await collect(opened.log.tail(None, after=width - 3), through=width + 3)
    assert [record.profile for record in batch.records] == [f"p{i}" for i in range(6)]
    history = await opened.log.history("default", ["p0", "p5"], [1, 1])
    assert [record.position for record in history] == [width - 2, width + 3]
    partitions = await opened.pool.fetchval(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'trial.log'::regclass"
    )
    assert partitions == 3


async def test_partitions_are_made_while_others_write_and_read(opened: OpenedLog) -> None:
    """With tiny partitions ahead, concurrent writers and a reader notice nothing of them."""
    width = await opened.pool.fetchval("SELECT partition_width FROM trial.lane")
    await opened.pool.execute(
        "UPDATE trial.lane SET head = $1, trimmed = $1, partition_width = 10", 2 * width - 30
    )
    reading = asyncio.create_task(
        collect(opened.log.tail(None, after=2 * width - 30), through=2 * width + 170)
    )

    async def write() -> None:
        for _ in range(10):
            await opened.log.append([entry() for _ in range(5)])

    await asyncio.gather(*(write() for _ in range(4)))
    read = [record.position for batch in await reading for record in batch.records]
    assert read == list(range(2 * width - 29, 2 * width + 171))


async def pretend_days_ago(opened: OpenedLog, days: int) -> None:
    """Make it so that the keys were taken that many days ago."""
    if days % 2:
        await opened.pool.execute(
            "ALTER TABLE trial.repeats_even RENAME TO other;"
            "ALTER TABLE trial.repeats_odd RENAME TO repeats_even;"
            "ALTER TABLE trial.other RENAME TO repeats_odd"
        )
    await opened.pool.execute("UPDATE trial.lane SET repeats_day = repeats_day - $1", days)


@pytest.mark.parametrize(("days", "known"), [(0, True), (1, True), (2, False), (3, False)])
async def test_a_key_is_known_until_the_day_after(
    opened: OpenedLog, days: int, known: bool
) -> None:
    """A repeat is found today and tomorrow; then its key is forgotten."""
    await opened.log.append([entry(key=1)])
    await pretend_days_ago(opened, days)
    (again, new) = await opened.log.append([entry(key=1), entry(key=2)])
    assert (again.repeated, new.repeated) == (known, False)
    (again, new) = await opened.log.append([entry(key=1), entry(key=2)])
    assert (again.repeated, new.repeated) == (True, True)


async def test_a_dump_does_not_hold_up_the_turn_of_the_day(opened: OpenedLog) -> None:
    """While somebody reads the keys, the old day goes on: appends work and repeats are found."""
    await opened.log.append([entry(key=1)])
    await pretend_days_ago(opened, 2)
    dump = await asyncpg.connect(opened.url)
    async with dump.transaction():
        await dump.execute("LOCK TABLE trial.repeats_even, trial.repeats_odd IN ACCESS SHARE MODE")
        (again, new) = await opened.log.append([entry(key=1), entry(key=2)])
        assert (again.repeated, new.repeated) == (True, False)
    await dump.close()
    (again,) = await opened.log.append([entry(key=1)])
    assert not again.repeated


async def test_a_clock_that_was_set_back_moves_nothing_back(opened: OpenedLog) -> None:
    """The log keeps the latest time it gave until the clock has passed it again."""
    (first,) = await opened.log.append([entry()])
    ahead = first.accepted_at + DAY_MS
    await opened.pool.execute("UPDATE trial.lane SET accepted_at = $1", ahead)
    (second,) = await opened.log.append([entry()])
    assert second.accepted_at == ahead
    barrier = await opened.log.barrier(first.accepted_at)
    (third,) = await opened.log.append([entry()])
    assert first.accepted_at <= barrier.through < third.accepted_at == ahead


async def test_a_barrier_holds_when_the_clock_is_set_back_after_it(opened: OpenedLog) -> None:
    """What is accepted later is later than the barrier, whatever the clock says by then."""
    await opened.pool.execute(
        "CREATE TABLE clock AS SELECT 5000::bigint AS now;"
        "CREATE OR REPLACE FUNCTION trial.log_clock() RETURNS bigint LANGUAGE sql"
        " AS 'SELECT now FROM clock'"
    )
    (before,) = await opened.log.append([entry()])
    await opened.pool.execute("UPDATE clock SET now = 7000")
    barrier = await opened.log.barrier(6_000)
    await opened.pool.execute("UPDATE clock SET now = 4000")
    (after,) = await opened.log.append([entry()])
    assert (before.accepted_at, barrier.position) == (5_000, 1)
    assert 6_000 <= barrier.through < after.accepted_at


async def test_the_time_of_acceptance_is_that_of_the_server(opened: OpenedLog) -> None:
    """It lies between two looks at the server's clock."""
    before = await opened.pool.fetchval("SELECT trial.log_clock()")
    (done,) = await opened.log.append([entry()])
    after = await opened.pool.fetchval("SELECT trial.log_clock()")
    assert before <= done.accepted_at <= after


async def test_many_keys_are_looked_up_by_index(opened: OpenedLog) -> None:
    """The look-up of repeats stays fast when the tables have grown without being analysed."""
    made = [Entry(shard=0, workspace="w", profile="p", payload=b"", repeat_key=bytes(16))]
    async with opened.pool.acquire() as connection:
        # The plans are made while the tables are all but empty.
        await opened.log.append_in(connection, made)
        for table in ("repeats_even", "repeats_odd"):
            await connection.execute(
                f"INSERT INTO trial.{table}"
                " SELECT gen_random_uuid() FROM generate_series(1, 200000)"
            )
        before = await whole_scans(connection)
        for batch in range(1, 4):
            entries = [entry(key=batch * 1_000 + i) for i in range(500)]
            await opened.log.append_in(connection, entries)
        assert await whole_scans(connection) == before


async def whole_scans(connection: asyncpg.Connection) -> int:
    """Count how often the tables of keys were read from end to end."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    return await connection.fetchval(
        "SELECT sum(seq_scan) FROM pg_stat_user_tables"
        " WHERE relname IN ('repeats_even', 'repeats_odd')"
    )
