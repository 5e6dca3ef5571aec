"""What every delay queue promises; the adapters' tests inherit these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from hairspring.timers import (
    LONGEST_LEASE_MS,
    Claimed,
    Claims,
    DelayQueue,
    Fenced,
    QueueLost,
    Timer,
)

NOON = 1_800_000_000_000
EPOCHS = {0: 1, 1: 1, 2: 1}
LEASE = 30_000


class ManualClock:
    """A clock that moves when told, in ms."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, ms: int) -> None:
        self.now += ms


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A queue under test, its clock, and a way to make it lose everything."""

    queue: DelayQueue
    clock: ManualClock
    lose: Callable[[], Awaitable[None]]


def timer(member: str, due_at: int, shard: int = 0) -> Timer:
    return Timer(shard=shard, member=member, due_at=due_at)


def members(claims: Claims) -> list[str]:
    return [one.member for one in claims.claimed]


async def claim(subject: Subject, *shards: int, limit: int = 100, lease: int = LEASE) -> Claims:
    return await subject.queue.claim(shards or (0, 1, 2), limit, lease, epochs=EPOCHS)


async def schedule(subject: Subject, *timers: Timer) -> None:
    outcome = await subject.queue.schedule(timers, epochs=EPOCHS)
    assert outcome.ok


class TimerContract:
    """Inherited by the tests of each adapter, which give the fixture `empty`."""

    @pytest.fixture
    async def subject(self, empty: Subject) -> Subject:
        """A queue whose three shards were begun under epoch 1 and are whole."""
        for shard, epoch in EPOCHS.items():
            await empty.queue.begin(shard, epoch=epoch, generation="first")
            await empty.queue.complete(shard, epoch=epoch, generation="first")
        return empty

    # Due times

    async def test_rings_when_due(self, subject: Subject) -> None:
        """A timer is claimed from its due time on, and not a millisecond before."""
        await schedule(subject, timer("ada", NOON + 10))
        subject.clock.advance(9)
        assert members(await claim(subject)) == []
        subject.clock.advance(1)
        claims = await claim(subject)
        assert claims.now == NOON + 10
        (one,) = claims.claimed
        assert one == Claimed(
            shard=0,
            member="ada",
            due_at=NOON + 10,
            token=one.token,
            lease_until=NOON + 10 + LEASE,
        )

    async def test_claims_in_order_of_due_time(self, subject: Subject) -> None:
        """A claim brings the timers of all shards in the order in which they were due."""
        await schedule(
            subject,
            timer("c", NOON - 1, 0),
            timer("a", NOON - 3, 1),
            timer("b", NOON - 2, 2),
            timer("d", NOON, 1),
        )
        assert members(await claim(subject)) == ["a", "b", "c", "d"]

    async def test_limit_takes_the_earliest(self, subject: Subject) -> None:
        """A claim takes no more than its limit, the earliest first, and says what is left."""
        await schedule(subject, *(timer(f"p{i}", NOON - 10 + i) for i in range(5)))
        claims = await claim(subject, 0, limit=2)
        assert members(claims) == ["p0", "p1"]
        assert claims.next_due == {0: NOON - 8}
        assert members(await claim(subject, 0)) == ["p2", "p3", "p4"]

    async def test_limit_is_shared_by_shards(self, subject: Subject) -> None:
        """A limit holds over all shards of a claim, and each gives its even share."""
        await schedule(subject, *(timer(f"p{i}", NOON, shard=i % 3) for i in range(30)))
        claims = await claim(subject, limit=7)
        counts = [sum(one.shard == shard for one in claims.claimed) for shard in range(3)]
        assert counts == [3, 2, 2]

    async def test_limit_of_nothing_only_looks(self, subject: Subject) -> None:
        """A claim with limit 0 leases nothing and answers what is next."""
        await schedule(subject, timer("ada", NOON - 1))
        claims = await claim(subject, limit=0)
        assert (claims.claimed, claims.next_due) == ([], {0: NOON - 1})

    async def test_schedule_moves_as_told(self, subject: Subject) -> None:
        """A member has one due time, the last that was told, be it earlier or later."""
        await schedule(subject, timer("ada", NOON + 50))
        await schedule(subject, timer("ada", NOON + 10))
        assert await subject.queue.next_due([0]) == NOON + 10
        await schedule(subject, timer("ada", NOON + 90))
        assert await subject.queue.next_due([0]) == NOON + 90
        subject.clock.advance(89)
        assert members(await claim(subject)) == []
        assert await subject.queue.pending([0]) == 1

    async def test_rebuilding_keeps_the_earlier(self, subject: Subject) -> None:
        """With `earliest`, an older reading never moves a timer to a later time."""
        await schedule(subject, timer("ada", NOON + 10), timer("bob", NOON + 90))
        read = [timer("ada", NOON + 50), timer("bob", NOON + 60), timer("eve", NOON + 70)]
        await subject.queue.schedule(read, epochs=EPOCHS, earliest=True)
        subject.clock.advance(100)
        due = [(one.member, one.due_at - NOON) for one in (await claim(subject)).claimed]
        assert due == [("ada", 10), ("bob", 60), ("eve", 70)]

    async def test_same_member_in_two_shards(self, subject: Subject) -> None:
        """Shards are apart: a member of one has nothing to do with its namesake."""
        await schedule(subject, timer("ada", NOON, 0), timer("ada", NOON, 1))
        await subject.queue.cancel([(0, "ada")], epochs=EPOCHS)
        assert [one.shard for one in (await claim(subject)).claimed] == [1]

    async def test_next_due_and_pending(self, subject: Subject) -> None:
        """The earliest due time is that over the shards asked for; nothing pending is None."""
        assert await subject.queue.next_due([0, 1, 2]) is None
        await schedule(subject, timer("ada", NOON + 7, 1), timer("bob", NOON + 5, 2))
        assert await subject.queue.next_due([0, 1, 2]) == NOON + 5
        assert await subject.queue.next_due([0, 1]) == NOON + 7
        assert await subject.queue.next_due([0]) is None
        assert await subject.queue.pending([0, 1, 2]) == 2

    async def test_many_at_once(self, subject: Subject) -> None:
        """Thousands go in, out and away in single calls, whatever a script may hold."""
        many = [timer(f"profile-{i:05}", NOON + i, shard=i % 3) for i in range(6_000)]
        await schedule(subject, *many)
        assert await subject.queue.pending([0, 1, 2]) == 6_000
        gone = [(t.shard, t.member) for t in many[3_000:]]
        assert (await subject.queue.cancel(gone, epochs=EPOCHS)).ok
        subject.clock.advance(6_000)
        rung: list[Claimed] = []
        while claims := (await claim(subject, limit=2_000)).claimed:
            assert len(claims) <= 1_500
            rung += claims
        assert [one.member for one in rung] == [t.member for t in many[:3_000]]
        assert await subject.queue.ack(rung) == 3_000
        assert await subject.queue.pending([0, 1, 2]) == 0

    async def test_members_are_any_text(self, subject: Subject) -> None:
        """A member comes back as it was given, whatever characters it has."""
        odd = ["a b", "{x}:0", "naïve→", "\x00\n\r", "1", "-inf", "x" * 300, "😀", " 12"]
        await schedule(subject, *(timer(member, NOON + i) for i, member in enumerate(odd)))
        subject.clock.advance(20)
        claims = await claim(subject)
        assert members(claims) == odd
        assert await subject.queue.ack(claims.claimed) == len(odd)
        assert await subject.queue.pending([0]) == 0

    async def test_nothing_to_do(self, subject: Subject) -> None:
        """Calls for no timers and no shards are served."""
        queue = subject.queue
        assert (await queue.schedule([], epochs={})).ok
        assert (await queue.cancel([], epochs={})).ok
        assert (await queue.claim([], 10, LEASE, epochs={})).claimed == []
        assert (await queue.ack([]), await queue.release([])) == (0, 0)
        assert (await queue.next_due([]), await queue.pending([])) == (None, 0)
        await queue.ping()

    async def test_refuses_an_endless_lease(self, subject: Subject) -> None:
        """A lease has some length, and not more than the longest."""
        for lease in (0, -1, LONGEST_LEASE_MS + 1):
            with pytest.raises(ValueError, match="a lease lasts"):
                await claim(subject, lease=lease)

    async def test_refuses_to_cancel_nobody(self, subject: Subject) -> None:
        """No timer has an empty member, so none is cancelled by one."""
        with pytest.raises(ValueError, match="needs a member"):
            await subject.queue.cancel([(0, "ada"), (0, "")], epochs=EPOCHS)
        assert not (await claim(subject)).lost

    # Leases

    async def test_leased_is_not_claimed_again(self, subject: Subject) -> None:
        """While a lease lasts, its timer rings for nobody else; next due is the lease's end."""
        await schedule(subject, timer("ada", NOON))
        assert members(await claim(subject)) == ["ada"]
        subject.clock.advance(LEASE - 1)
        claims = await claim(subject)
        assert (members(claims), claims.next_due) == ([], {0: NOON + LEASE})
        assert await subject.queue.next_due([0]) == NOON + LEASE
        assert await subject.queue.pending([0]) == 1

    async def test_nobody_holds_what_is_far_off(self, subject: Subject) -> None:
        """A timer that is due long after any lease waits in the queue, and rings once."""
        due_at = NOON + 3 * LONGEST_LEASE_MS
        await schedule(subject, timer("ada", due_at))
        while subject.clock.now < due_at:
            claims = await claim(subject)
            assert (claims.claimed, claims.next_due) == ([], {0: due_at})
            subject.clock.advance(LONGEST_LEASE_MS // 2)
        rung = (await claim(subject, lease=LONGEST_LEASE_MS)).claimed
        assert [one.due_at for one in rung] == [due_at]
        assert await subject.queue.ack(rung) == 1
        assert await subject.queue.pending([0]) == 0

    async def test_lease_runs_out(self, subject: Subject) -> None:
        """A timer whose claimer died rings again with its old due time, under a new token."""
        await schedule(subject, timer("ada", NOON))
        (first,) = (await claim(subject)).claimed
        subject.clock.advance(LEASE)
        (second,) = (await claim(subject)).claimed
        assert (second.member, second.due_at) == ("ada", NOON)
        assert second.token != first.token

    async def test_late_ack_does_nothing(self, subject: Subject) -> None:
        """An acknowledgement after the lease went to another claim leaves that claim alone."""
        await schedule(subject, timer("ada", NOON))
        (first,) = (await claim(subject)).claimed
        subject.clock.advance(LEASE)
        (second,) = (await claim(subject)).claimed
        assert await subject.queue.ack([first]) == 0
        assert await subject.queue.pending([0]) == 1
        assert await subject.queue.ack([second]) == 1
        assert await subject.queue.ack([second]) == 0
        assert await subject.queue.pending([0]) == 0

    async def test_late_ack_before_the_next_claim_counts(self, subject: Subject) -> None:
        """A lease that ran out and that nobody took yet can still be acknowledged."""
        await schedule(subject, timer("ada", NOON))
        (first,) = (await claim(subject)).claimed
        subject.clock.advance(LEASE + 5)
        assert await subject.queue.ack([first]) == 1
        assert members(await claim(subject)) == []

    async def test_many_expired_leases_all_come_back(self, subject: Subject) -> None:
        """However many leases ran out, a bounded number a call comes back, until none is left."""
        await schedule(subject, *(timer(f"p{i:04}", NOON) for i in range(450)))
        assert len((await claim(subject, 0, limit=500)).claimed) == 450
        subject.clock.advance(LEASE)
        again: list[str] = []
        for _ in range(10):
            again += members(await claim(subject, 0, limit=500))
        assert sorted(again) == [f"p{i:04}" for i in range(450)]

    async def test_schedule_during_lease_survives_the_ack(self, subject: Subject) -> None:
        """What is scheduled while a member is leased stays when the old lease is acknowledged."""
        await schedule(subject, timer("ada", NOON))
        old = (await claim(subject)).claimed
        await schedule(subject, timer("ada", NOON + 100))
        assert await subject.queue.pending([0]) == 1
        assert await subject.queue.ack(old) == 1
        assert await subject.queue.pending([0]) == 1
        subject.clock.advance(100)
        assert members(await claim(subject)) == ["ada"]

    async def test_claimed_anew_during_lease(self, subject: Subject) -> None:
        """A member that rings again while leased is held by its last claim alone."""
        await schedule(subject, timer("ada", NOON))
        first = (await claim(subject)).claimed
        await schedule(subject, timer("ada", NOON))
        second = (await claim(subject)).claimed
        assert await subject.queue.ack(first) == 0
        assert await subject.queue.ack(second) == 1

    async def test_lease_of_a_rescheduled_member_runs_out(self, subject: Subject) -> None:
        """A firing that was never acknowledged rings again, though a later time was scheduled."""
        await schedule(subject, timer("ada", NOON))
        await claim(subject)
        await schedule(subject, timer("ada", NOON + 10 * LEASE))
        subject.clock.advance(LEASE)
        (again,) = (await claim(subject)).claimed
        assert again.due_at == NOON

    async def test_cancel_reaches_due_and_leased(self, subject: Subject) -> None:
        """A cancelled timer is gone from both sets, and its lease acknowledges nothing."""
        await schedule(subject, timer("ada", NOON), timer("bob", NOON + 5))
        leased = (await claim(subject)).claimed
        assert (await subject.queue.cancel([(0, "ada"), (0, "bob")], epochs=EPOCHS)).ok
        assert await subject.queue.pending([0]) == 0
        assert await subject.queue.ack(leased) == 0
        assert await subject.queue.release(leased) == 0
        subject.clock.advance(2 * LEASE)
        assert members(await claim(subject)) == []

    async def test_release_at_once_and_later(self, subject: Subject) -> None:
        """A released timer is due as it was, or at the time told."""
        await schedule(subject, timer("ada", NOON), timer("bob", NOON))
        ada, bob = (await claim(subject)).claimed
        assert await subject.queue.release([ada]) == 1
        assert await subject.queue.release([bob], due_at=NOON + 40) == 1
        (again,) = (await claim(subject)).claimed
        assert (again.member, again.due_at) == ("ada", NOON)
        subject.clock.advance(40)
        assert members(await claim(subject)) == ["bob"]

    async def test_release_keeps_an_earlier_schedule(self, subject: Subject) -> None:
        """A release never makes later what was scheduled during the lease."""
        await schedule(subject, timer("ada", NOON))
        leased = (await claim(subject)).claimed
        await schedule(subject, timer("ada", NOON + 5))
        await subject.queue.release(leased, due_at=NOON + 50)
        assert await subject.queue.next_due([0]) == NOON + 5

    async def test_late_release_does_nothing(self, subject: Subject) -> None:
        """A release under an old token leaves the present lease alone."""
        await schedule(subject, timer("ada", NOON))
        first = (await claim(subject)).claimed
        subject.clock.advance(LEASE)
        await claim(subject)
        assert await subject.queue.release(first) == 0
        assert members(await claim(subject)) == []

    # Clocks

    async def test_clock_goes_back(self, subject: Subject) -> None:
        """When the clock is set back, no timer is lost or doubled, and no lease lasts for long."""
        await schedule(subject, timer("ada", NOON), timer("bob", NOON + 10))
        assert members(await claim(subject)) == ["ada"]
        subject.clock.advance(-2 * LONGEST_LEASE_MS)
        assert members(await claim(subject)) == []
        subject.clock.advance(2 * LONGEST_LEASE_MS + 10)
        assert members(await claim(subject)) == ["ada", "bob"]

    async def test_lease_of_a_clock_set_back(self, subject: Subject) -> None:
        """A lease that ends later than any lease can is void."""
        await schedule(subject, timer("ada", NOON - 10 * LONGEST_LEASE_MS))
        await claim(subject)
        subject.clock.advance(-2 * LONGEST_LEASE_MS)
        assert members(await claim(subject)) == ["ada"]

    # Owners

    async def test_older_epoch_changes_nothing(self, subject: Subject) -> None:
        """After a take-over, the old owner's schedules, cancels and claims are refused."""
        await schedule(subject, timer("ada", NOON), timer("bob", NOON, 1))
        assert (await subject.queue.take({0: 2})).ok
        queue = subject.queue
        late = await queue.schedule([timer("eve", NOON), timer("eve", NOON, 1)], epochs=EPOCHS)
        assert (late.fenced, late.lost) == ({0}, set())
        assert (await queue.cancel([(0, "ada")], epochs=EPOCHS)).fenced == {0}
        claims = await claim(subject)
        assert (members(claims), claims.fenced) == (["bob", "eve"], {0})
        with pytest.raises(Fenced):
            await queue.begin(0, epoch=1, generation="late")
        with pytest.raises(Fenced):
            await queue.complete(0, epoch=1, generation="first")
        assert (await queue.take({0: 1})).fenced == {0}
        assert members(await queue.claim([0], 9, LEASE, epochs={0: 2})) == ["ada"]

    async def test_take_over_frees_leases(self, subject: Subject) -> None:
        """What a dead owner had claimed rings at once for the next one."""
        await schedule(subject, *(timer(f"p{i:04}", NOON + i) for i in range(700)))
        subject.clock.advance(700)
        held = [*(await claim(subject, 0, limit=500)).claimed]
        held += (await claim(subject, 0, limit=500)).claimed
        assert len(held) == 700
        assert (await subject.queue.take({0: 2})).ok
        again = await subject.queue.claim([0], 500, LEASE, epochs={0: 2})
        assert members(again) == [f"p{i:04}" for i in range(500)]
        assert await subject.queue.ack(held[:500]) == 0

    async def test_higher_epoch_must_take_first(self, subject: Subject) -> None:
        """A set marked with an older epoch than the owner's is no proof of being complete."""
        epochs = {0: 2}
        assert (await subject.queue.claim([0], 9, LEASE, epochs=epochs)).lost == {0}
        assert (await subject.queue.schedule([timer("ada", NOON)], epochs=epochs)).lost == {0}
        assert await subject.queue.pending([0]) == 0

    async def test_unfinished_rebuild_is_rebuilt_by_the_next_owner(self, subject: Subject) -> None:
        """A shard whose rebuild was not completed is lost to whoever takes it."""
        await subject.queue.begin(0, epoch=1, generation="second")
        await schedule(subject, timer("ada", NOON))
        assert members(await claim(subject, 0)) == ["ada"]
        assert (await subject.queue.take({0: 2, 1: 2})).lost == {0}
        assert (await subject.queue.claim([0], 9, LEASE, epochs={0: 2})).lost == {0}

    # Loss

    async def test_loss_is_told(self, subject: Subject) -> None:
        """When everything is gone, every call says so, and changes nothing."""
        await schedule(subject, timer("ada", NOON))
        leased = (await claim(subject)).claimed
        await subject.lose()
        queue = subject.queue
        assert (await claim(subject)).lost == {0, 1, 2}
        assert (await queue.schedule([timer("bob", NOON)], epochs=EPOCHS)).lost == {0}
        assert (await queue.cancel([(1, "bob")], epochs=EPOCHS)).lost == {1}
        assert (await queue.take({0: 2, 2: 2})).lost == {0, 2}
        assert (await queue.ack(leased), await queue.release(leased)) == (0, 0)
        assert (await queue.pending([0, 1, 2]), await queue.next_due([0])) == (0, None)
        with pytest.raises(QueueLost):
            await queue.complete(0, epoch=1, generation="first")

    async def test_rebuild_after_loss(self, subject: Subject) -> None:
        """A shard begun and filled again serves as before; old leases acknowledge nothing."""
        await schedule(subject, timer("ada", NOON))
        old = (await claim(subject)).claimed
        await subject.lose()
        await subject.queue.begin(0, epoch=1, generation="second")
        await schedule(subject, timer("ada", NOON))
        await subject.queue.complete(0, epoch=1, generation="second")
        new = (await claim(subject, 0)).claimed
        assert await subject.queue.ack(old) == 0
        assert await subject.queue.ack(new) == 1
        assert (await claim(subject)).lost == {1, 2}

    async def test_loss_during_rebuild(self, subject: Subject) -> None:
        """A rebuild that lost its beginning cannot be called complete."""
        await subject.queue.begin(0, epoch=1, generation="second")
        await subject.lose()
        await subject.queue.begin(0, epoch=1, generation="third")
        with pytest.raises(QueueLost):
            await subject.queue.complete(0, epoch=1, generation="second")
        await subject.queue.complete(0, epoch=1, generation="third")
        assert (await subject.queue.take({0: 2})).ok

    async def test_begin_empties(self, subject: Subject) -> None:
        """A shard that is begun anew has no timers and no leases."""
        await schedule(subject, timer("ada", NOON), timer("bob", NOON + 9))
        leased = (await claim(subject)).claimed
        await subject.queue.begin(0, epoch=1, generation="second")
        assert await subject.queue.pending([0]) == 0
        assert await subject.queue.ack(leased) == 0
