"""Quarantine: what is known of the profiles of which something is set aside, and their retries."""

import asyncio
from collections.abc import Collection, Mapping

from hairspring.database.notices import wait_until_set
from hairspring.runtime.clock import Clock
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.plans import Plans
from hairspring.services.rule_evaluator.work import Inbox, Retries
from hairspring.store.port import Effects, Key, SegmentStore
from hairspring.store.quarantine import Mark

LOOK_SECONDS = 0.5  #: While anything is set aside.
IDLE_SECONDS = 3_600.0
AT_ONCE = 50
FIRST_PAUSE_MS = 5_000
LONGEST_PAUSE_MS = 3_600_000


def pause_ms(retries: int) -> int:
    """How long a profile that is held waits before it is tried again by itself."""
    return int(min(FIRST_PAUSE_MS << min(retries, 20), LONGEST_PAUSE_MS))


class Quarantine:
    """The marks of the shards that are owned; only their owner changes them."""

    def __init__(
        self,
        owned: Collection[int],
        plans: Mapping[int, Plans],
        *,
        store: SegmentStore,
        clock: Clock,
    ) -> None:
        self._owned = owned
        self._plans = plans
        self._store = store
        self._clock = clock
        self._marks: dict[Key, Mark] = {}
        self.held: set[Key] = set()
        """Profiles of which nothing is judged."""
        self._changed = asyncio.Event()
        self._log = get_logger()

    def __contains__(self, key: Key) -> bool:
        return key in self._marks

    def __len__(self) -> int:
        return len(self._marks)

    def entries(self, key: Key) -> int:
        """How much of a profile is set aside."""
        mark = self._marks.get(key)
        return 0 if mark is None else mark.entries

    def plan_version(self, key: Key) -> int:
        """What a profile is judged by."""
        return self._plans[key.shard].version

    async def begin(self) -> None:
        """Reads the marks."""
        self._marks = await self._store.marks(list(self._owned))
        self.held = {key for key, mark in self._marks.items() if mark.holds}

    def committed(self, effects: Effects) -> None:
        """Notes what was committed, and tells of it; never of what an event says."""
        for departure in effects.departures:
            self._forget(departure.key)
        for one in effects.set_aside:
            mark = self._marks.get(one.key, Mark(holds=False, entries=0))
            self._marks[one.key] = Mark(mark.holds or one.holds, mark.entries + 1)
            if one.holds:
                self.held.add(one.key)
            self._log.error(
                "profile_held" if one.holds else f"{one.what.value}_set_aside",
                workspace=one.key.workspace,
                profile=one.key.profile,
                what=one.what.value,
                position=one.position,
                message_id=one.message_id,
                error=one.error_type,
                plan_version=one.plan_version,
            )
        for key in effects.gone:
            self._forget(key)
        for key in effects.released:
            self._forget(key)
            self._log.info("profile_released", workspace=key.workspace, profile=key.profile)
        for tried in effects.in_vain:
            self._log.warning(
                "profile_not_released",
                workspace=tried.key.workspace,
                profile=tried.key.profile,
                error=tried.error.partition(":")[0],
            )
        if effects.set_aside:
            self._changed.set()

    def _forget(self, key: Key) -> None:
        self._marks.pop(key, None)
        self.held.discard(key)

    async def run(self, inbox: Inbox) -> None:
        """Has profiles folded anew when that is asked for, or due."""
        while True:
            self._changed.clear()
            if self._marks:
                await self._retry(inbox)
            await wait_until_set(self._changed, LOOK_SECONDS if self._marks else IDLE_SECONDS)

    async def _retry(self, inbox: Inbox) -> None:
        shards = list(self._owned)
        while due := await self._store.retries(shards, self._clock(), AT_ONCE):
            retries = Retries(retries=due)
            inbox.retry(retries)
            await retries.done
