"""What every ownership promises; the adapters' tests inherit these."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import pytest
from hairspring.ownership.port import Fenced, Owned, Ownership

COUNT = 16


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Three replicas over 16 shards, a way to carry out an effect, and one to end a lease.

    `effect` fences as the replica in a transaction of its own, and commits.
    """

    one: Ownership
    other: Ownership
    third: Ownership
    effect: Callable[..., Awaitable[None]]
    expire: Callable[[Ownership], Awaitable[None]]


def epochs(owned: Mapping[int, Owned]) -> set[int]:
    """The epochs of the shards."""
    return {shard.epoch for shard in owned.values()}


async def unbalanced(*replicas: Ownership) -> None:
    """Wait until these replicas have heard that their shares are to change."""
    async with asyncio.timeout(10):
        for replica in replicas:
            await replica.unbalanced.wait()


async def share(*replicas: Ownership) -> list[dict[int, Owned]]:
    """Have replicas acquire in turn until nothing changes, and answer what each owns."""
    before: list[set[int]] = []
    while True:
        owned = [await replica.acquire() for replica in replicas]
        if before == (before := [set(one) for one in owned]):
            return owned


class OwnershipContract:
    """Inherit it and give the fixture `replicas`."""

    @pytest.fixture
    def replicas(self) -> Subject:
        raise NotImplementedError

    async def test_the_first_takes_all_and_the_second_nothing(self, replicas: Subject) -> None:
        """Who comes second takes nothing from the first, who has to give it up itself."""
        owned = await replicas.one.acquire()
        assert sorted(owned) == list(range(COUNT))
        assert epochs(owned) == {1}
        assert all(o.position == 0 and o.plan_version == 0 for o in owned.values())
        assert await replicas.other.acquire() == {}

    async def test_acquiring_again_changes_nothing(self, replicas: Subject) -> None:
        """Who owns all already is answered the same, under the same epochs."""
        first = await replicas.one.acquire()
        assert await replicas.one.acquire() == first

    async def test_an_effect_moves_positions_on_and_never_back(self, replicas: Subject) -> None:
        """Positions and plan versions are those of the last effects, for their shards alone."""
        owned = await replicas.one.acquire()
        some = {shard: owned[shard] for shard in (3, 5)}
        await replicas.effect(replicas.one, some, 70, plan_version=4)
        await replicas.effect(replicas.one, {5: owned[5]}, 60)
        await replicas.effect(replicas.one, {3: owned[3]}, 80)
        await replicas.effect(replicas.one, {}, 90)
        again = await replicas.one.acquire()
        assert [(s, again[s].position, again[s].plan_version) for s in (3, 4, 5)] == [
            (3, 80, 4),
            (4, 0, 0),
            (5, 70, 4),
        ]

    async def test_released_shards_go_to_who_asks(self, replicas: Subject) -> None:
        """After a release the other takes all, where the first left off, under a higher epoch."""
        owned = await replicas.one.acquire()
        await replicas.effect(replicas.one, owned, 42, plan_version=2)
        await replicas.one.release()
        taken = await replicas.other.acquire()
        assert len(taken) == COUNT
        assert {(o.epoch, o.position, o.plan_version) for o in taken.values()} == {(2, 42, 2)}
        assert await replicas.one.acquire() == {}

    async def test_who_released_is_fenced(self, replicas: Subject) -> None:
        """Effects after a release fail, before and after somebody else takes over."""
        owned = await replicas.one.acquire()
        await replicas.one.release()
        with pytest.raises(Fenced):
            await replicas.effect(replicas.one, owned, 1)
        await replicas.other.acquire()
        with pytest.raises(Fenced):
            await replicas.effect(replicas.one, {0: owned[0]}, 1)
        assert replicas.one.lost.is_set()

    async def test_an_old_epoch_is_fenced(self, replicas: Subject) -> None:
        """Owning a shard again does not help who comes with the epoch of before."""
        before = await replicas.one.acquire()
        await replicas.one.release()
        now = await replicas.one.acquire()
        assert epochs(now) == {2}
        with pytest.raises(Fenced):
            await replicas.effect(replicas.one, before, 1)
        mixed = {**now, 7: before[7]}
        with pytest.raises(Fenced) as error:
            await replicas.effect(replicas.one, mixed, 1)
        assert error.value.shards == set(mixed)
        again = await replicas.one.acquire()
        assert {o.position for o in again.values()} == {0}
        await replicas.effect(replicas.one, now, 1)

    async def test_a_lease_that_ran_out_is_taken_over(self, replicas: Subject) -> None:
        """Who does not renew in time loses everything, and hears of it."""
        owned = await replicas.one.acquire()
        await replicas.effect(replicas.one, owned, 5)
        await replicas.expire(replicas.one)
        taken = await replicas.other.acquire()
        assert {(o.epoch, o.position) for o in taken.values()} == {(2, 5)}
        with pytest.raises(Fenced):
            await replicas.effect(replicas.one, owned, 6)
        assert await replicas.one.acquire() == {}
        assert replicas.one.lost.is_set()

    async def test_who_stands_by_gets_the_shards_when_they_are_free(
        self, replicas: Subject
    ) -> None:
        """Standing by ends with the release of the other."""
        await replicas.one.acquire()
        standing = asyncio.create_task(replicas.other.stand_by())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(standing), 0.05)
        await replicas.one.release()
        async with asyncio.timeout(10):
            assert len(await standing) == COUNT

    async def test_who_comes_gets_half(self, replicas: Subject) -> None:
        """The first hears of the second, gives up its surplus, and the second takes that."""
        before = await replicas.one.acquire()
        assert await replicas.other.acquire() == {}
        await unbalanced(replicas.one)
        kept = await replicas.one.acquire()
        await unbalanced(replicas.other)
        taken = await replicas.other.acquire()
        assert (len(kept), len(taken)) == (COUNT // 2, COUNT // 2)
        assert sorted([*kept, *taken]) == list(range(COUNT))
        assert kept == {shard: before[shard] for shard in kept}
        assert epochs(taken) == {2}

    async def test_who_stands_by_gets_what_is_given_up(self, replicas: Subject) -> None:
        """Standing by ends as soon as a share is free."""
        await replicas.one.acquire()
        standing = asyncio.create_task(replicas.other.stand_by())
        await unbalanced(replicas.one)
        await replicas.one.acquire()
        async with asyncio.timeout(10):
            assert len(await standing) == COUNT // 2

    async def test_what_was_given_up_is_fenced(self, replicas: Subject) -> None:
        """Effects on shards that were given up fail, taken or not; those that were kept go on."""
        before = await replicas.one.acquire()
        await replicas.other.acquire()
        kept = await replicas.one.acquire()
        given = {shard: owned for shard, owned in before.items() if shard not in kept}
        with pytest.raises(Fenced):
            await replicas.effect(replicas.one, given, 1)
        await replicas.other.acquire()
        with pytest.raises(Fenced):
            await replicas.effect(replicas.one, before, 1)
        await replicas.effect(replicas.one, kept, 1)

    async def test_shares_differ_by_at_most_one(self, replicas: Subject) -> None:
        """Sixteen shards among three are six, five and five, and the oldest has the one more."""
        owned = await share(replicas.one, replicas.other, replicas.third)
        assert [len(one) for one in owned] == [6, 5, 5]
        assert sorted(shard for one in owned for shard in one) == list(range(COUNT))

    async def test_even_shares_stay_as_they_are(self, replicas: Subject) -> None:
        """Whoever acquires again, in any order, changes nothing: no shard goes to and fro."""
        owned = await share(replicas.one, replicas.other, replicas.third)
        third, one, other = [
            await replica.acquire() for replica in (replicas.third, replicas.one, replicas.other)
        ]
        assert [one, other, third] == owned

    async def test_who_leaves_is_shared_among_the_rest(self, replicas: Subject) -> None:
        """The others hear of it and take an even part each, under a higher epoch."""
        *_, before = await share(replicas.one, replicas.other, replicas.third)
        await replicas.effect(replicas.third, before, 7)
        await replicas.third.release()
        await unbalanced(replicas.one, replicas.other)
        owned = [await replicas.one.acquire(), await replicas.other.acquire()]
        assert [len(each) for each in owned] == [COUNT // 2, COUNT // 2]
        heirs = owned[0] | owned[1]
        assert all(heirs[s].epoch == before[s].epoch + 1 for s in before)
        assert {heirs[shard].position for shard in before} == {7}

    async def test_who_is_gone_is_shared_among_the_rest(self, replicas: Subject) -> None:
        """The first to notice frees everything of it, so that each takes its part."""
        *_, before = await share(replicas.one, replicas.other, replicas.third)
        await replicas.expire(replicas.third)
        owned = [await replicas.one.acquire(), await replicas.other.acquire()]
        assert [len(each) for each in owned] == [COUNT // 2, COUNT // 2]
        with pytest.raises(Fenced):
            await replicas.effect(replicas.third, before, 1)
        assert replicas.third.lost.is_set()

    async def test_who_was_gone_comes_back_for_its_share(self, replicas: Subject) -> None:
        """Once it acquires again it counts again, and the other makes room for it."""
        await share(replicas.one, replicas.other)
        await replicas.expire(replicas.one)
        assert len(await replicas.other.acquire()) == COUNT
        assert await replicas.one.acquire() == {}
        await unbalanced(replicas.other)
        assert len(await replicas.other.acquire()) == COUNT // 2
        assert len(await replicas.one.acquire()) == COUNT // 2
        assert not replicas.one.lost.is_set()
