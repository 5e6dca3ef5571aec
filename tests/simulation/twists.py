"""Worlds that are spoilt in one place, to see that the checks notice: each twist is a real mistake.

A twist is given a world before it begins.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from hairspring.log.port import Appended, Barrier, Batch, Entry
from hairspring.ownership.memory import MemoryOwnership
from hairspring.ownership.port import Owned
from hairspring.services.rule_evaluator.alarms import Alarms
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.services.rule_evaluator.histories import Histories
from hairspring.services.rule_evaluator.work import History
from hairspring.store.memory import MemoryStore
from hairspring.store.port import Effects, Progress, Rebuild

from tests.simulation.wire import Wire
from tests.simulation.world import World

Twist = Callable[[World], None]
Patch = Callable[[Any, str, Any], None]


def no_fence(patch: Patch) -> Twist:
    """Effects are carried out for whoever asks, owner or not."""

    async def fence(
        self: MemoryOwnership,
        connection: Any,
        shards: Mapping[int, Owned],
        position: int,
        *,
        plan_version: int | None = None,
    ) -> None:
        self._shards.owners, owners = dict.fromkeys(shards, self), self._shards.owners
        rows = self._shards.rows
        current = {n: Owned(shard=n, epoch=rows[n].epoch, position=0, plan_version=0) for n in rows}
        mine = {n: current[n] for n in shards}
        await fenced(self, connection, mine, position, plan_version=plan_version)
        self._shards.owners = owners

    fenced = MemoryOwnership.fence
    return lambda world: patch(MemoryOwnership, "fence", fence)


def half_a_commit(patch: Patch) -> Twist:
    """A commit that gets no answer has written the log, and not the states."""
    commit = MemoryStore.commit

    async def halved(self: MemoryStore, effects: Effects) -> list[Appended]:
        if effects.records and len(effects.records) % 3 == 0:
            appended = await self._log.append(effects.records)
            effects.records = []
            raise ConnectionResetError(f"after {len(appended)} records")
        return await commit(self, effects)

    return lambda world: patch(MemoryStore, "commit", halved)


def a_tail_that_skips(patch: Patch) -> Twist:
    """A reader that begins in the middle of the log misses the record it should begin with."""

    def twist(world: World) -> None:
        tail = world.log.tail

        async def skipping(positions: Any, *rest: Any, **more: Any) -> AsyncIterator[Batch]:
            first = True
            async for batch in tail(positions, *rest, **more):
                missed = 1 if first and batch.records[:1] and batch.records[0].position > 5 else 0
                first = False
                yield Batch(records=batch.records[missed:], through=batch.through)

        patch(world.log, "tail", skipping)

    return twist


def no_barrier(patch: Patch) -> Twist:
    """A barrier is answered at once, whatever the clock of the log shows."""

    def twist(world: World) -> None:
        async def barrier(through: int, *, most_ms: int | None = None) -> Barrier:
            return Barrier(position=0, through=through)

        patch(world.log, "barrier", barrier)

    return twist


def no_sweep(patch: Patch) -> Twist:
    """Nobody looks for alarms that did not ring."""

    async def sweep(self: Alarms, before: int) -> None:
        return None

    return lambda world: patch(Alarms, "_sweep", sweep)


def accepted_twice(patch: Patch) -> Twist:
    """Ingest forgets which message ids it has seen."""

    def twist(world: World) -> None:
        append = world.log.append

        async def forgetful(entries: Sequence[Entry]) -> list[Appended]:
            world.log._keys.clear()
            return await append(entries)

        patch(world.log, "append", forgetful)

    return twist


def moments_of_the_clock(patch: Patch) -> Twist:
    """An alarm passes the moments up to when it rang, not up to the barrier."""
    passed = Fold.passed

    def hasty(self: Fold, key: Any, through: int, *, rung: bool) -> None:
        passed(self, key, through + 700 if rung else through, rung=rung)

    return lambda world: patch(Fold, "passed", hasty)


def one_epoch(patch: Patch) -> Twist:
    """Who takes shards over leaves their epoch as it was."""
    acquire = MemoryOwnership.acquire

    async def lazy(self: MemoryOwnership) -> dict[int, Owned]:
        before = dict(self._shards.rows)
        await acquire(self)
        rows = self._shards.rows
        for shard, row in rows.items():
            epoch = max(before[shard].epoch, 1)
            rows[shard] = Owned(
                shard=shard, epoch=epoch, position=row.position, plan_version=row.plan_version
            )
        return self._owned()

    return lambda world: patch(MemoryOwnership, "acquire", lazy)


def no_wait_for_own_effects(patch: Patch) -> Twist:
    """Who begins anew does not wait for a commit of its own that is still under way."""
    return lambda world: patch(Wire, "settle_doubts", lambda self: None)


def an_old_history(patch: Patch) -> Twist:
    """A history that was read for one fill is folded for another that was begun further on."""

    def same(self: Rebuild, other: object) -> bool:
        return isinstance(other, Rebuild) and (self.key, self.cause) == (other.key, other.cause)

    def twist(world: World) -> None:
        patch(Rebuild, "__eq__", same)
        patch(Rebuild, "__hash__", lambda self: hash(self.key))

    return twist


def lost_meanwhile(patch: Patch) -> Twist:
    """What comes of somebody between the reading of her history and its folding is lost to it."""

    def at_hand(
        self: Histories, todo: Sequence[Rebuild], ahead: Mapping[Rebuild, History]
    ) -> dict[Rebuild, History]:
        return {one: ahead[one] for one in todo if one in ahead}

    return lambda world: patch(Histories, "at_hand", at_hand)


def in_force_too_early(patch: Patch) -> Twist:
    """What was applied is put in force before everybody has been filled."""

    async def progress(self: MemoryStore, workspace: str) -> Progress:
        return Progress(filled=1, waiting=0)

    async def ready(self: MemoryStore, *rest: Any) -> list[Rebuild]:
        return []

    def twist(world: World) -> None:
        patch(MemoryStore, "progress", progress)
        patch(MemoryStore, "ready", ready)

    return twist


TWISTS: tuple[Callable[[Patch], Twist], ...] = (
    no_fence,
    half_a_commit,
    a_tail_that_skips,
    no_barrier,
    no_sweep,
    accepted_twice,
    moments_of_the_clock,
    one_epoch,
    no_wait_for_own_effects,
    an_old_history,
    lost_meanwhile,
    in_force_too_early,
)
