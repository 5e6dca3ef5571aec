"""Many write and read the log at once, and nobody misses or doubles anything."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import asyncpg
import pytest
from hairspring.database.pool import DRIVER_ERRORS
from hairspring.log.port import Barrier, Entry, Record

from tests.contract.log.log_contract import entry
from tests.contract.log.opened import OpenedLog


class Aborted(Exception):
    """A transaction changes its mind."""


@dataclass
class Written:
    """What writers know to be committed, and what they know not to be."""

    committed: dict[int, bytes] = field(default_factory=dict)
    unknown: set[bytes] = field(default_factory=set)
    number: int = 0

    def entries(self, chance: random.Random) -> list[Entry]:
        """Make a few entries, none like another."""
        made = []
        for _ in range(chance.randint(1, 8)):
            self.number += 1
            shard = chance.randrange(8)
            made.append(entry(shard=shard, payload=b"%d" % self.number))
        return made


async def write_plainly(opened: OpenedLog, written: Written, chance: random.Random) -> None:
    """Append, again and again."""
    for _ in range(60):
        entries = written.entries(chance)
        done = await opened.log.append(entries)
        for given, result in zip(entries, done, strict=True):
            written.committed[result.position] = given.payload


async def write_slowly(opened: OpenedLog, written: Written, chance: random.Random) -> None:
    """Append within transactions that dawdle before and after, and that abort now and then."""
    for _ in range(25):
        entries, abort = written.entries(chance), chance.random() < 0.4
        with suppress(Aborted):
            async with opened.pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT pg_sleep($1)", chance.random() * 0.01)
                done = await opened.log.append_in(connection, entries)
                await connection.execute("SELECT pg_sleep($1)", chance.random() * 0.01)
                if abort:
                    raise Aborted
            for given, result in zip(entries, done, strict=True):
                written.committed[result.position] = given.payload


async def write_and_die(opened: OpenedLog, written: Written, chance: random.Random) -> None:
    """Append on sessions that are ended from outside while the lane is theirs."""
    for _ in range(8):
        entries = written.entries(chance)
        connection = await asyncpg.connect(opened.url)
        await connection.execute("BEGIN")
        await opened.log.append_in(connection, entries)
        await opened.pool.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
        with pytest.raises(DRIVER_ERRORS):
            await connection.execute("COMMIT")
        connection.terminate()


async def write_and_cancel(opened: OpenedLog, written: Written, chance: random.Random) -> None:
    """Append and be cancelled: it may or may not have happened."""
    for _ in range(15):
        entries = written.entries(chance)
        written.unknown.update(given.payload for given in entries)
        with suppress(TimeoutError):
            await asyncio.wait_for(opened.log.append(entries), chance.random() * 0.01)


async def read_all(opened: OpenedLog, shards: list[int] | None, lasts: int) -> list[Record]:
    """Tail until as many last records have come."""
    records: list[Record] = []
    positions = None if shards is None else dict.fromkeys(shards, 0)
    through = 0
    tail = opened.log.tail(positions, max_batch=20)
    async with asyncio.timeout(60), aclosing(tail):
        async for batch in tail:
            assert batch.through > through
            assert all(through < record.position <= batch.through for record in batch.records)
            through = batch.through
            records += batch.records
            lasts -= sum(record.payload == b"last" for record in batch.records)
            if lasts == 0:
                break
    return records


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_reader_skips_or_doubles_anything(opened: OpenedLog, seed: int) -> None:
    """Under slow, aborted, killed and cancelled writers every reader sees what was committed."""
    chance, written = random.Random(seed), Written()
    writers = [write_plainly] * 4 + [write_slowly] * 3 + [write_and_die, write_and_cancel]
    async with asyncio.TaskGroup() as reading:
        readers = [
            reading.create_task(read_all(opened, shards, lasts))
            for shards, lasts in ((None, 2), ([1, 4, 6], 1), ([0, 2, 3, 5, 7], 1))
        ]
        async with asyncio.TaskGroup() as writing:
            for write in writers:
                writing.create_task(write(opened, written, chance))
        last = [entry(shard=1, payload=b"last"), entry(shard=0, payload=b"last")]
        await opened.log.append(last)
    everything, some, others = (reader.result() for reader in readers)

    head = await opened.log.head()
    assert [record.position for record in everything] == list(range(1, head + 1))
    assert some == [record for record in everything if record.shard in (1, 4, 6)]
    assert others == [record for record in everything if record.shard not in (1, 4, 6)]
    times = [record.accepted_at for record in everything]
    assert times == sorted(times)
    found = {record.position: record.payload for record in everything}
    assert {p: found.get(p) for p in written.committed} == written.committed
    rest = {payload for p, payload in found.items() if p not in written.committed}
    assert rest - {b"last"} <= written.unknown


async def test_a_key_is_appended_once_whoever_is_first(opened: OpenedLog) -> None:
    """Writers that send the same keys at the same time, in batches of their own, double nothing."""

    async def write(seed: int) -> list[tuple[int, int]]:
        chance, fresh = random.Random(seed), []
        for _ in range(15):
            keys = chance.choices(range(200), k=12)
            done = await opened.log.append([entry(f"p{key}", key=key) for key in keys])
            for key, result in zip(keys, done, strict=True):
                assert result.repeated == (result.position == 0)
                if not result.repeated:
                    fresh.append((result.position, key))
        return fresh

    fresh = [pair for part in await asyncio.gather(*map(write, range(8))) for pair in part]
    counts = Counter(key for _, key in fresh)
    assert max(counts.values()) == 1
    records = await opened.log.read(0, 1_000)
    expected = [(position, f"p{key}") for position, key in sorted(fresh)]
    assert [(record.position, record.profile) for record in records] == expected
    assert [record.position for record in records] == list(range(1, len(counts) + 1))


async def test_a_key_of_an_aborted_append_is_free_again(opened: OpenedLog) -> None:
    """Whoever waited for a transaction that aborts then appends the key itself."""
    connection = await asyncpg.connect(opened.url)
    transaction = connection.transaction()
    await transaction.start()
    (first,) = await opened.log.append_in(connection, [entry(key=1)])
    waiting = asyncio.create_task(opened.log.append([entry(key=1)]))
    await transaction.rollback()
    await connection.close()
    (second,) = await waiting
    assert (first.position, second.position, second.repeated) == (1, 1, False)


async def test_a_barrier_holds_under_concurrent_appends(opened: OpenedLog) -> None:
    """All accepted up to it stand at or before it; all after it are accepted later."""
    chance, written, end = random.Random(11), Written(), asyncio.Event()
    barriers: list[tuple[int, Barrier]] = []

    async def draw(ahead: int) -> None:
        while not end.is_set():
            asked = await opened.pool.fetchval("SELECT trial.log_clock()") + ahead
            barriers.append((asked, await opened.log.barrier(asked)))

    async with asyncio.TaskGroup() as drawing:
        for ahead in (-20, -1, 0, 5):
            drawing.create_task(draw(ahead))
        async with asyncio.TaskGroup() as writing:
            for write in [write_plainly] * 4 + [write_slowly] * 2:
                writing.create_task(write(opened, written, chance))
        end.set()

    records = await opened.log.read(0, 100_000)
    assert len(barriers) > 20
    assert any(0 < barrier.position < len(records) for _, barrier in barriers)
    for asked, barrier in barriers:
        assert barrier.through >= asked
        for record in records:
            assert (record.position <= barrier.position) or record.accepted_at > barrier.through
            if record.accepted_at <= barrier.through:
                assert record.position <= barrier.position


async def test_a_barrier_waits_for_the_append_in_flight(opened: OpenedLog) -> None:
    """An append that has its time but is not committed yet is not overtaken by a barrier."""
    connection = await asyncpg.connect(opened.url)
    transaction = connection.transaction()
    await transaction.start()
    (done,) = await opened.log.append_in(connection, [entry()])
    drawing = asyncio.create_task(opened.log.barrier(done.accepted_at))
    await connection.execute("SELECT pg_sleep(0.1)")
    assert not drawing.done()
    await transaction.commit()
    await connection.close()
    assert (await drawing).position == done.position
