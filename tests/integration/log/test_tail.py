"""How a tail wakes up, rests, and behaves when something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise

import asyncpg
import pytest
from hairspring.database.notices import Notices
from hairspring.log.port import Batch, PositionLost, Record
from hairspring.log.postgres import PostgresLog
from structlog.testing import capture_logs

from tests.contract.log.log_contract import collect, entry
from tests.contract.log.opened import SCHEMA, OpenedLog, open_log
from tests.support.waiting import eventually


class Following:
    """A tail in the background, and what it has given."""

    def __init__(self, tail: AsyncIterator[Batch]) -> None:
        self.records: list[Record] = []
        self.task = asyncio.create_task(self._run(tail))

    async def _run(self, tail: AsyncIterator[Batch]) -> None:
        async with aclosing(tail):
            async for batch in tail:
                self.records += batch.records

    async def end(self) -> None:
        """Cancel it, as a subscriber that goes away."""
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task


@pytest.fixture
async def without_poll(database_url: str) -> AsyncIterator[OpenedLog]:
    """A log whose tails wake by notices, or not at all within a test."""
    async with open_log(database_url, safety_poll=3_600) as opened:
        yield opened


async def test_a_notice_wakes_a_tail_at_the_head(without_poll: OpenedLog) -> None:
    """Without any poll, each append is given at once, also one inside a transaction."""
    log, pool = without_poll.log, without_poll.pool
    following = Following(log.tail(None))
    for number in range(1, 20):
        async with pool.acquire() as connection, connection.transaction():
            await log.append_in(connection, [entry()])
        await eventually(lambda number=number: len(following.records) == number, every=0.001)
    await following.end()


async def test_every_subscriber_is_woken(without_poll: OpenedLog) -> None:
    """Several tails in one process read each on its own; one that leaves disturbs nobody."""
    log = without_poll.log
    followers = [Following(log.tail(None)) for _ in range(5)]
    await log.append([entry()])
    await eventually(lambda: all(len(f.records) == 1 for f in followers))
    await followers.pop().end()
    await log.append([entry()])
    await eventually(lambda: all(len(f.records) == 2 for f in followers))
    for follower in followers:
        await follower.end()


async def test_a_lost_listener_comes_back(without_poll: OpenedLog) -> None:
    """What was appended while nobody listened is given after the reconnection."""
    log, pool = without_poll.log, without_poll.pool
    following = Following(log.tail(None))
    await log.append([entry()])
    await eventually(lambda: len(following.records) == 1)
    for number in (2, 3):
        ended = await pool.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'trial-notices'"
        )
        assert ended == 1
        await log.append([entry()])
        await eventually(lambda number=number: len(following.records) == number)
        await eventually(
            lambda: pool.fetchval(
                "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'trial-notices'"
            )
        )
    await following.end()


async def test_the_safety_poll_finds_what_no_notice_told(database_url: str) -> None:
    """Records that came without a notice are given by the poll."""
    async with open_log(database_url, safety_poll=0.05) as opened:
        following = Following(opened.log.tail(None))
        await opened.log.append([entry()])
        await eventually(lambda: len(following.records) == 1)
        async with opened.pool.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE trial.lane SET head = 2")
            await connection.execute(
                "INSERT INTO trial.log SELECT 2, accepted_at, shard, workspace, profile, payload"
                " FROM trial.log"
            )
        await eventually(lambda: len(following.records) == 2)
        await following.end()


async def test_a_tail_at_the_head_rests(database_url: str) -> None:
    """At the head a tail asks Postgres once for each safety poll, not more."""
    async with open_log(database_url) as opened:
        asked: list[float] = []

        async def count(connection: asyncpg.Connection) -> None:
            def note(query: object) -> None:
                asked.append(asyncio.get_running_loop().time())

            connection.add_query_logger(note)

        async def leave(connection: object) -> None:
            """Hand connections back as they are, as pools of ours do."""

        async with (
            asyncpg.create_pool(opened.url, min_size=1, init=count, reset=leave) as pool,
            Notices.open(opened.url, name="counted") as notices,
        ):
            log = PostgresLog(pool, notices, SCHEMA, safety_poll=0.2)
            following = Following(log.tail(None))
            await eventually(lambda: len(asked) >= 10)
            await following.end()
        gaps = [later - earlier for earlier, later in pairwise(asked[-5:])]
        assert min(gaps) > 0.19


async def test_a_gap_is_reported_and_waited_for(database_url: str) -> None:
    """A record that must be there is never skipped: the tail goes on when it is back."""
    async with open_log(database_url, safety_poll=0.05) as opened:
        await opened.log.append([entry(f"p{i}") for i in range(1, 6)])
        await opened.pool.execute("CREATE TABLE kept AS SELECT * FROM trial.log WHERE position = 3")
        await opened.pool.execute("DELETE FROM trial.log WHERE position = 3")
        with capture_logs() as logs:
            every, some = Following(opened.log.tail(None)), Following(opened.log.tail({1: 0}))
            await eventually(lambda: sum(event["event"] == "log_gap_found" for event in logs) >= 4)
        assert {event["first_missing"] for event in logs} == {3}
        assert every.records == some.records == []
        await opened.pool.execute("INSERT INTO trial.log SELECT * FROM kept")
        for following in (every, some):
            await eventually(lambda following=following: len(following.records) == 5)
            assert [record.position for record in following.records] == [1, 2, 3, 4, 5]
            await following.end()


async def test_what_the_retention_dropped_is_not_read_as_if_it_were_nothing(
    opened: OpenedLog,
) -> None:
    """A reader that has begun and is left behind hears of it; one that begins takes what is."""
    log = opened.log
    await log.append([entry() for _ in range(10)])
    await opened.pool.execute("DELETE FROM trial.log WHERE position <= 6")
    await opened.pool.execute("UPDATE trial.lane SET trimmed = 6")
    with pytest.raises(PositionLost):
        await collect(log.tail(None, after=3), through=10)
    with pytest.raises(PositionLost):
        await collect(log.tail({1: 3, 2: 0}), through=10)
    (batch,) = await collect(log.tail(None), through=10)
    assert [record.position for record in batch.records] == [7, 8, 9, 10]


async def test_a_tail_under_way_hears_of_the_retention_too(opened: OpenedLog) -> None:
    """A slow reader that is overtaken by the retention ends with an error."""
    await opened.log.append([entry() for _ in range(10)])
    tail = opened.log.tail(None, max_batch=2)
    await anext(tail)
    await opened.pool.execute("UPDATE trial.lane SET trimmed = 6")
    with pytest.raises(PositionLost):
        await anext(tail)
