"""What every log promises; the adapters' tests inherit these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hairspring.log.port import (
    ERASED,
    BarrierTooFar,
    Batch,
    DeletionsUnknown,
    Entry,
    Log,
    PositionAhead,
)


def entry(profile: str = "otto-1", *, shard: int = 1, key: int | None = None, **changes) -> Entry:
    """Make an entry; `key` stands for a repeat key."""
    given = {
        "shard": shard,
        "workspace": "default",
        "profile": profile,
        "payload": f"of {profile}".encode(),
        "repeat_key": None if key is None else key.to_bytes(16, "big"),
    }
    return Entry(**{**given, **changes})


def positions(batches: list[Batch]) -> list[int]:
    """The positions of all records in the batches."""
    return [record.position for batch in batches for record in batch.records]


async def collect(tail: AsyncIterator[Batch], through: int) -> list[Batch]:
    """Take batches until the tail has come through a position."""
    batches: list[Batch] = []
    async with asyncio.timeout(20), aclosing(tail):
        async for batch in tail:
            batches.append(batch)
            if batch.through >= through:
                break
    return batches


class LogContract:
    """Inherit it and give the fixture `log`: an empty log on the real clock."""

    @pytest.fixture
    def log(self) -> Log:
        raise NotImplementedError

    @pytest.fixture
    def connection(self) -> object:
        """What the caller's transaction is written by; none in memory."""
        return None

    async def test_positions_are_dense(self, log: Log) -> None:
        """Positions begin at 1 and follow each other, over appends and within."""
        first = await log.append([entry("a"), entry("b")])
        second = await log.append([entry("c")])
        assert [done.position for done in first + second] == [1, 2, 3]
        assert await log.head() == 3
        assert [record.position for record in await log.read(0, 10)] == [1, 2, 3]

    async def test_a_record_stands_as_it_was_given(self, log: Log) -> None:
        """A record has what its entry had, bytes that are no text included."""
        given = entry("Ümit", shard=7, workspace="shop", payload=b"\x00\xff{")
        (done,) = await log.append([given])
        (record,) = await log.read(0, 10)
        assert (record.shard, record.workspace, record.profile) == (7, "shop", "Ümit")
        assert (record.payload, record.accepted_at) == (b"\x00\xff{", done.accepted_at)

    async def test_nothing_appended_is_nothing_done(self, log: Log) -> None:
        """An append of nothing answers nothing and moves nothing."""
        assert await log.append([]) == []
        assert await log.head() == 0

    async def test_a_repeat_is_appended_once(self, log: Log) -> None:
        """The second entry with a key is told to be a repeat, in a batch and in a later one."""
        first = await log.append([entry("a", key=1), entry("b"), entry("a", key=1)])
        assert [(done.position, done.repeated) for done in first] == [
            (1, False),
            (2, False),
            (0, True),
        ]
        second = await log.append([entry("a", key=1), entry("c", key=2), entry("b")])
        assert [done.position for done in second] == [0, 3, 4]
        assert [record.profile for record in await log.read(0, 10)] == ["a", "b", "c", "b"]

    async def test_a_batch_of_repeats_moves_nothing(self, log: Log) -> None:
        """When all are repeats the head stays."""
        await log.append([entry(key=1), entry(key=2)])
        again = await log.append([entry(key=2), entry(key=1)])
        assert [done.position for done in again] == [0, 0]
        assert all(done.repeated and done.accepted_at > 0 for done in again)
        assert await log.head() == 2

    async def test_a_key_of_another_length_is_refused(self, log: Log) -> None:
        """A repeat key that has not 16 bytes is a mistake of the caller."""
        with pytest.raises(ValueError, match="16 bytes"):
            await log.append([entry(repeat_key=b"short")])
        assert await log.head() == 0

    async def test_reading_is_bounded(self, log: Log) -> None:
        """A read begins after a position, ends at another, keeps to shards and to a limit."""
        await log.append([entry(f"p{i}", shard=i % 2) for i in range(1, 11)])

        async def read(*args: int, **bounds: object) -> list[int]:
            return [record.position for record in await log.read(*args, **bounds)]

        assert await read(7, 10) == [8, 9, 10]
        assert await read(0, 3) == [1, 2, 3]
        assert await read(2, 10, through=5) == [3, 4, 5]
        assert await read(0, 3, shards=[0]) == [2, 4, 6]
        assert await read(0, 10, through=0) == []
        assert await read(0, 10, shards=[]) == []

    async def test_history_is_of_the_profiles_asked_for(self, log: Log) -> None:
        """A history has the records of its profiles alone, in log order, page by page."""
        await log.append([entry(p, shard=s) for p, s in [("a", 1), ("b", 2), ("a", 1), ("c", 3)]])
        await log.append([entry("a", shard=1, workspace="other"), entry("b", shard=2)])

        async def history(**bounds: int) -> list[int]:
            found = await log.history("default", ["b", "a"], [2, 1], **bounds)
            return [record.position for record in found]

        assert await history() == [1, 2, 3, 6]
        assert await history(limit=2) == [1, 2]
        assert await history(after=2, limit=2) == [3, 6]
        assert await history(after=1, through=3) == [2, 3]
        assert await log.history("default", ["nobody"], [1]) == []
        with pytest.raises(ValueError, match=r"."):
            await log.history("default", ["a", "b"], [1])

    async def test_single_records_are_found_by_position(self, log: Log) -> None:
        """What is not there is left out."""
        await log.append([entry(p) for p in "abc"])
        found = await log.get([3, 1, 99, 0])
        assert [(record.position, record.profile) for record in found] == [(1, "a"), (3, "c")]

    async def test_a_tail_gives_what_is_there_and_what_comes(self, log: Log) -> None:
        """A tail of all shards begins after its position and goes on."""
        await log.append([entry(f"p{i}") for i in range(5)])
        following = asyncio.create_task(collect(log.tail(None, after=2), through=7))
        await log.append([entry("later"), entry("latest")])
        assert positions(await following) == [3, 4, 5, 6, 7]

    async def test_a_tail_keeps_to_its_batch_size(self, log: Log) -> None:
        """No batch is larger than asked, and `through` ends at its last record."""
        await log.append([entry(f"p{i}") for i in range(25)])
        batches = [batch async for batch in log.tail(None, max_batch=10, stop_at_head=True)]
        assert [(len(b.records), b.through) for b in batches] == [(10, 10), (10, 20), (5, 25)]

    async def test_a_tail_of_one_at_a_time_goes_on(self, log: Log) -> None:
        """A batch size of one works, for all shards and for a shard that has nothing."""
        await log.append([entry(shard=1) for _ in range(30)])
        assert positions([b async for b in log.tail(None, 0, 1, True)]) == list(range(1, 31))
        nothing = [b async for b in log.tail({2: 0}, 0, 1, True)]
        assert positions(nothing) == []
        assert nothing[-1].through == 30

    async def test_a_tail_of_shards_gives_each_from_its_position(self, log: Log) -> None:
        """Each shard goes on after its own position, the others are not given."""
        await log.append([entry(f"p{i}", shard=i % 3) for i in range(1, 31)])
        batches = [b async for b in log.tail({0: 15, 1: 7}, max_batch=4, stop_at_head=True)]
        expected = [p for p in range(1, 31) if (p % 3 == 0 and p > 15) or (p % 3 == 1 and p > 7)]
        assert positions(batches) == expected
        assert batches[-1].through == 30
        assert all(r.position <= b.through for b in batches for r in b.records)

    async def test_a_tail_tells_how_far_it_read_where_nothing_is_for_it(self, log: Log) -> None:
        """A subscriber of other shards learns that the log was read on."""
        await log.append([entry(shard=1) for _ in range(3)])
        (batch,) = await collect(log.tail({5: 0}), through=3)
        assert (batch.records, batch.through) == ([], 3)

    async def test_a_tail_that_stops_at_the_head_ends(self, log: Log) -> None:
        """It ends at the head of its beginning, in an empty log and at the head at once."""
        assert [b async for b in log.tail(None, stop_at_head=True)] == []
        await log.append([entry(), entry()])
        assert positions([b async for b in log.tail(None, stop_at_head=True)]) == [1, 2]
        assert [b async for b in log.tail(None, after=2, stop_at_head=True)] == []
        assert [b async for b in log.tail({1: 2}, stop_at_head=True)] == []

    async def test_a_tail_beyond_the_head_is_refused(self, log: Log) -> None:
        """A position that the log has not reached belongs to another log."""
        await log.append([entry()])
        for tail in (log.tail(None, after=2), log.tail({1: 0, 2: 9})):
            with pytest.raises(PositionAhead):
                await anext(aiter(tail))

    async def test_a_barrier_parts_the_log_in_time(self, log: Log) -> None:
        """What came before stands at or before it, what comes after is accepted later."""
        (before,) = await log.append([entry()])
        barrier = await log.barrier(before.accepted_at)
        assert barrier.position == before.position
        assert barrier.through >= before.accepted_at
        (after,) = await log.append([entry()])
        assert after.accepted_at > barrier.through

    async def test_a_barrier_waits_for_its_moment(self, log: Log) -> None:
        """A barrier ahead of the clock is answered when the clock is beyond it."""
        (first,) = await log.append([entry()])
        asked = first.accepted_at + 150
        waiting = asyncio.create_task(log.barrier(asked))
        (second,) = await log.append([entry()])
        assert not waiting.done()
        barrier = await waiting
        assert barrier.through >= asked
        assert barrier.position == second.position
        (third,) = await log.append([entry()])
        assert third.accepted_at > asked

    async def test_barriers_one_after_another_never_go_back(self, log: Log) -> None:
        """Asked for earlier moments again, a barrier still holds."""
        first = await log.barrier(1)
        second = await log.barrier(first.through + 1)
        third = await log.barrier(1)
        assert second.through > first.through
        assert third.through >= second.through
        (after,) = await log.append([entry()])
        assert after.accepted_at > third.through

    async def test_a_barrier_far_ahead_is_refused(self, log: Log) -> None:
        """Nobody waits for more than ten seconds."""
        (done,) = await log.append([entry()])
        with pytest.raises(BarrierTooFar):
            await log.barrier(done.accepted_at + 60_000)

    async def test_a_barrier_with_a_longest_wait_is_drawn_in_time(self, log: Log) -> None:
        """Whoever's clock is far ahead gets a barrier of now, by the log's clock."""
        (done,) = await log.append([entry()])
        barrier = await log.barrier(done.accepted_at + 3_600_000, most_ms=20)
        assert done.accepted_at + 19 <= barrier.through < done.accepted_at + 3_600_000
        (after,) = await log.append([entry()])
        assert after.accepted_at > barrier.through
        near = await log.barrier(after.accepted_at, most_ms=10_000)
        assert near.through >= after.accepted_at

    async def test_erased_records_keep_their_places(self, log: Log, connection: object) -> None:
        """Payload and profile go, of hers alone and before the position; nobody sees a gap."""
        await log.append([entry(name) for name in ("ada", "bo", "ada", "ada", "ada")])
        before = await log.read(0, 10)

        counts = [
            await log.erase_in(connection, "default", [(1, "ada")], before=5, keep=[3], limit=limit)
            for limit in (1, 5, 5)
        ]

        after = await log.read(0, 10)
        assert counts == [1, 1, 0]
        assert [record.profile for record in after] == [ERASED, "bo", "ada", ERASED, "ada"]
        assert [record.payload for record in after] == [
            b"" if record.position in (1, 4) else record.payload for record in before
        ]
        assert [(r.position, r.shard, r.accepted_at) for r in after] == [
            (r.position, r.shard, r.accepted_at) for r in before
        ]
        history = await log.history("default", ["ada"], [1])
        assert [record.position for record in history] == [3, 5]
        assert positions([b async for b in log.tail(None, stop_at_head=True)]) == [1, 2, 3, 4, 5]

    async def test_several_ids_are_erased_together(self, log: Log, connection: object) -> None:
        """Each in its own shard, and no more than was asked for."""
        await log.append([entry("ada"), entry("a1", shard=2), entry("a1", shard=3), entry("ada")])
        places = [(1, "ada"), (2, "a1")]

        first = await log.erase_in(connection, "default", places, before=9, limit=2)
        second = await log.erase_in(connection, "default", places, before=9, limit=2)

        assert (first, second) == (2, 1)
        left = [record.position for record in await log.read(0, 10) if record.profile != ERASED]
        assert left == [3]

    async def test_an_append_must_know_of_all_deletions(self, log: Log, connection: object) -> None:
        """One that knows of fewer is refused whole; one that does not say may always append."""
        await log.append([entry()], knows=0)
        assert await log.count_deletion(connection) == 1
        with pytest.raises(DeletionsUnknown):
            await log.append([entry(key=1)], knows=0)
        again = await log.append([entry(key=1)], knows=1)
        plain = await log.append([entry()])
        assert [done.position for done in again + plain] == [2, 3]
