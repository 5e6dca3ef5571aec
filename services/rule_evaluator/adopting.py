"""Adopting: which plan version each shard judges by, and what it takes to go on to the next.

Versions are adopted one after another, each between two turns. One that changes definitions is
adopted by all shards at once, or, where something new begins to be filled, by a few at a time, for
a row is written for each of their profiles. Once every profile of every shard is filled, one of the
replicas adds the version that puts the forms in force. Each shard adopts it in one transaction,
behind a barrier, with all that follows from it; a few shards at a time, so that live work goes on
in between.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
from hairspring.database.notices import wait_until_set
from hairspring.log.port import Barrier
from hairspring.runtime.clock import Clock
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.services.rule_evaluator.plans import Activation, PlanBook, Plans
from hairspring.store.port import FILL, Key, SegmentStore

MOST_SHARDS_AT_ONCE = 64  #: Where something begins to be filled.
STEP_SECONDS = 0.02  #: A step that takes longer is followed by smaller ones.
PROFILES_AT_ONCE = 200  #: At an activation; a shard with more goes alone.
LOOK_SECONDS = 1.0  #: While something is filled elsewhere.
IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionStep:
    """Some shards go on from one plan version to the next, in one transaction."""

    shards: Sequence[int]
    before: Plans
    after: Plans
    profiles: Sequence[Key] = ()
    """Those for whom what was filled is put in force."""


class Adopting:
    """Knows the plans of the shards that are owned, and when the next version can be adopted."""

    def __init__(
        self,
        versions: Mapping[int, int],
        *,
        store: SegmentStore,
        events: EventLog,
        book: PlanBook,
        clock: Clock,
        bell: asyncio.Event,
    ) -> None:
        """Takes the plan version of each shard; `bell` is rung when there may be a next step."""
        self.plans: dict[int, Plans] = {}
        self._versions = versions
        self._store = store
        self._events = events
        self._book = book
        self._clock = clock
        self._bell = bell
        self._latest = 0
        self._lowest = 0
        self._looked = False
        self._at_once = 1
        self._barriers: dict[int, Barrier] = {}
        self._wanted: tuple[int, Activation] | None = None
        self._noticed = asyncio.Event()
        self._log = get_logger()

    async def begin(self) -> None:
        """Reads the plans that the shards judge by now."""
        for shard, version in self._versions.items():
            self.plans[shard] = await self._book.at(version)
        self._lowest = min(self._versions.values())

    def notice(self) -> None:
        """Tells that there may be a new plan version, or that more has been filled."""
        self._looked = False
        self._noticed.set()
        self._bell.set()

    async def next(self, position: int) -> AdoptionStep | None:
        """The next step for shards that have applied everything up to a position of the log."""
        if not self._looked:
            self._looked = True
            self._latest = await self._book.latest()
        lowest = self._lowest
        if lowest >= self._latest:
            return None
        shards = sorted(shard for shard, plans in self.plans.items() if plans.version == lowest)
        before, after = self.plans[shards[0]], await self._book.at(lowest + 1)
        if after.activation is None:
            if after.adoption_from(before).fill:
                shards = shards[: self._at_once]
            return AdoptionStep(shards=shards, before=before, after=after)
        barrier = self._barriers.get(after.version)
        if barrier is None:
            self._wanted = (after.version, after.activation)
            self._noticed.set()
            return None
        if position < barrier.position:
            return None
        return await self._activation(shards, before, after)

    def adopted(self, step: AdoptionStep, seconds: float) -> None:
        """Notes that a step has been committed, and how long that took."""
        if seconds > STEP_SECONDS:
            self._at_once = max(self._at_once // 2, 1)
        else:
            self._at_once = min(self._at_once * 2, MOST_SHARDS_AT_ONCE)
        self.plans.update(dict.fromkeys(step.shards, step.after))
        self._lowest = min(plans.version for plans in self.plans.values())
        self._noticed.set()

    async def run(self) -> None:
        """Draws the barriers that are wanted, and puts in force what has been filled."""
        while True:
            self._noticed.clear()
            await self._draw()
            filling = await self._complete()
            await wait_until_set(self._noticed, LOOK_SECONDS if filling else IDLE_SECONDS)

    async def _activation(self, shards: Sequence[int], before: Plans, after: Plans) -> AdoptionStep:
        """As many whole shards as do not have too many profiles together, and at least one."""
        assert after.activation is not None, "asked for an activation only"
        workspace = after.activation.workspace
        keys = await self._store.filled(shards, workspace, PROFILES_AT_ONCE + 1)
        if len(keys) > PROFILES_AT_ONCE:
            last = keys[-1].shard
            if keys[0].shard == last:
                keys = await self._store.filled([last], workspace, None)
                shards = [shard for shard in shards if shard <= last]
            else:
                keys = [key for key in keys if key.shard < last]
                shards = [shard for shard in shards if shard < last]
        return AdoptionStep(shards=shards, before=before, after=after, profiles=keys)

    async def _draw(self) -> None:
        """Draws the barrier behind which an activation can be adopted."""
        if self._wanted is None:
            return
        version, activation = self._wanted
        try:
            barrier = await self._events.barrier(activation.through)
        except grpc.aio.AioRpcError as error:
            self._log.warning("barrier_not_drawn", code=error.code().name)
            return
        self._barriers = {version: barrier}
        self._wanted = None
        self._bell.set()

    async def _complete(self) -> bool:
        """Puts in force what every shard has filled; answers whether anything is being filled."""
        latest = await self._book.latest()
        plans = await self._book.at(latest)
        if not plans.fillings:
            return self._wanted is not None
        if any(todo.cause == FILL for todo in await self._store.ready(list(self.plans), 1)):
            return True
        for workspace, filling in plans.fillings.items():
            if not await self._book.adopted(filling.version):
                continue
            if (await self._store.progress(workspace)).waiting:
                continue
            if await self._book.activate(workspace, after=latest, now=self._clock()):
                self._log.info("segments_filled", segments=sorted(filling.forms))
            self.notice()
            break
        return True
