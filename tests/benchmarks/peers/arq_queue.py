"""Loads arq as tests/benchmarks/timers_load.py loads ours, and says as a line of JSON how it went.

    python arq_queue.py speed|late REDIS_PORT COUNT RATE SECONDS

It runs in an environment of its own, since the project does not depend on arq.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.constants import default_queue_name, job_key_prefix
from arq.worker import Worker

BATCH = 500
HOUR = 3_600
POLL_SECONDS = 0.05
LATE: list[float] = []


async def ring(ctx: dict[str, Any], due: float) -> None:
    """Notes how late it is, ms."""
    LATE.append((time.time() - due) * 1000)


async def timed(count: int, work: Callable[[], Awaitable[None]]) -> dict[str, float]:
    """Takes so many a second, and the microseconds of each."""
    began, taken = time.perf_counter(), time.process_time()
    await work()
    took = time.perf_counter() - began
    return {"rate": count / took, "client": (time.process_time() - taken) / count * 1e6}


class Peer:
    """A queue of arq on the server at a port."""

    def __init__(self, port: int) -> None:
        self.settings = RedisSettings(port=port)

    async def schedule(self, count: int, due: Callable[[int], float]) -> None:
        """Puts jobs in, as many at once as ours has in a batch."""
        pool = await create_pool(self.settings)
        for at in range(0, count, BATCH):
            numbers = range(at, min(at + BATCH, count))
            await asyncio.gather(*(self._enqueue(pool, n, due(n)) for n in numbers))
        await pool.aclose()

    async def cancel(self, count: int) -> None:
        """Takes jobs out by hand: arq aborts only what has begun or will."""
        pool = await create_pool(self.settings)
        for at in range(0, count, BATCH):
            ids = [name(n) for n in range(at, min(at + BATCH, count))]
            async with pool.pipeline() as pipe:
                pipe.zrem(default_queue_name, *ids)
                pipe.delete(*(job_key_prefix + one for one in ids))
                await pipe.execute()
        await pool.aclose()

    async def ring(self) -> None:
        """Works until the queue is empty."""
        worker = Worker(
            [ring],
            redis_settings=self.settings,
            burst=True,
            max_jobs=BATCH,
            poll_delay=POLL_SECONDS,
            keep_result=0,
            handle_signals=False,
        )
        await worker.async_run()
        await worker.close()

    async def _enqueue(self, pool: Any, number: int, due: float) -> None:
        until = datetime.fromtimestamp(due, UTC)
        expires = timedelta(hours=3)
        await pool.enqueue_job(
            "ring", due, _job_id=name(number), _defer_until=until, _expires=expires
        )


def name(number: int) -> str:
    """The id of a job."""
    return f"default-arq-{number:08}"


async def speed(peer: Peer, count: int) -> dict[str, Any]:
    """Schedules, cancels, and works a backlog off."""
    far = time.time() + HOUR
    found = {
        "schedule": await timed(count, lambda: peer.schedule(count, lambda n: far + n / 1000)),
        "cancel": await timed(count, lambda: peer.cancel(count)),
    }
    await peer.schedule(count, lambda n: time.time() - HOUR + n / 1000)
    return {**found, "claim": await timed(count, peer.ring)}


async def late(peer: Peer, rate: float, count: int) -> dict[str, float]:
    """Takes how late jobs come, at so many due a second."""
    first = time.time() + 1 + count / 2_500
    await peer.schedule(count, lambda n: first + n / rate)
    watch = await timed(count, peer.ring)
    LATE.sort()
    of = [LATE[int(len(LATE) * share)] for share in (0.5, 0.99)]
    return {"p50": of[0], "p99": of[1], "most": LATE[-1], **watch}


async def main(role: str, port: str, count: str, rate: str, seconds: str) -> None:
    """Does as told."""
    peer = Peer(int(port))
    if role == "speed":
        found = await speed(peer, int(count))
    else:
        found = await late(peer, float(rate), int(float(rate) * float(seconds)))
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
