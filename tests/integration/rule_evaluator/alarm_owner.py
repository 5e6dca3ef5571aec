"""Alarms on tables of their own, and an owner that commits as the evaluation does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from hairspring.database.migrations import migrate
from hairspring.database.notices import Notices
from hairspring.database.pool import open_pool
from hairspring.engine.state import ProfileState
from hairspring.log import postgres as log_postgres
from hairspring.log.postgres import PostgresLog
from hairspring.ownership import postgres as ownership_postgres
from hairspring.ownership.port import Owned
from hairspring.ownership.postgres import PostgresOwnership, install_shards
from hairspring.runtime.clock import now_ms
from hairspring.services.rule_evaluator.alarms import Alarms
from hairspring.store import postgres as store_postgres
from hairspring.store.encoding import encode
from hairspring.store.port import Effects, Key, Saved, SegmentStore
from hairspring.store.postgres import PostgresStore
from hairspring.timers.redis import RedisDelayQueue

SHARDS = 4
AHEAD = 1_200
QUEUE = "hairspring:trial"


class Owner:
    """Commits due times and notes which profiles were looked at, as the evaluation would.

    Whoever is looked at and not due by what is committed stays as she was: that is no effect.
    """

    def __init__(self, store: SegmentStore, owned: dict[int, Owned], alarms: Alarms) -> None:
        self.owned = owned
        self.rung: dict[str, int] = {}
        self.times: dict[str, int] = {}
        self.effects = Counter[str]()
        self._store = store
        self._alarms = alarms

    async def look(self, keys: Sequence[Key], *, through: int, rung: bool = False) -> None:
        assert rung
        for key in keys:
            self.rung.setdefault(key.profile, now_ms())
            self.times[key.profile] = self.times.get(key.profile, 0) + 1
        stored = await self._store.load(keys)
        due = [key for key in keys if (at := stored[key].due_at) is not None and at <= through]
        await self.commit(dict.fromkeys(due))
        self.effects.update(key.profile for key in due)

    async def commit(self, due: dict[Key, int | None]) -> None:
        """Write due times; whoever rang has none."""
        states = [Saved(key, encode(ProfileState()), at) for key, at in due.items()]
        await self._store.commit(Effects(owned=self.owned, position=1, states=states))

    async def arm(self, due: dict[Key, int]) -> None:
        """Write due times, then tell Redis."""
        await self.commit({**due})
        await self._alarms.arm(due)


def profiles(prefix: str, count: int, first: int, last: int) -> dict[Key, int]:
    """Due times from `first` to `last` ms from now."""
    now = now_ms()
    return {
        Key(i % SHARDS, "default", f"{prefix}{i}"): now + first + i * (last - first) // count
        for i in range(count)
    }


@asynccontextmanager
async def running(
    database_url: str, redis_url: str, lateness: int = 0, ahead_ms: int = AHEAD
) -> AsyncIterator[Owner]:
    """Alarms at work on tables of their own."""
    name = "alarms"
    async with (
        open_pool(database_url, name=name) as pool,
        Notices.open(database_url, name=name) as notices,
        RedisDelayQueue.open(redis_url, QUEUE, timeout_ms=500) as queue,
    ):
        sources = (log_postgres, ownership_postgres, store_postgres)
        await migrate(pool, name, *(source.MIGRATIONS for source in sources))
        await install_shards(pool, name, SHARDS)
        async with PostgresOwnership.open(database_url, pool, notices, name, name) as ownership:
            store = PostgresStore(pool, name, ownership, PostgresLog(pool, notices, name))
            alarms = Alarms(queue, store, now_ms, lateness, ahead_ms=ahead_ms)
            owner = Owner(store, await ownership.acquire(), alarms)
            ringing = asyncio.create_task(alarms.run(owner), name="alarms-under-test")
            try:
                yield owner
            finally:
                ringing.cancel()
                with suppress(asyncio.CancelledError):
                    await ringing
