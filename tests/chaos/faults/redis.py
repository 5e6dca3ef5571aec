"""Redis forgets everything or the last of it, goes away, or stands still."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hairspring.services.delivery import waits
from hairspring.services.rule_evaluator import app
from redis.asyncio import Redis

from tests.chaos.faults.fault import Fault
from tests.chaos.scene import Scene
from tests.chaos.watching import until_logged, until_whole

_PATIENCE_SECONDS = 20.0
#: The delay queue of each service, and the name of the loop that rings from it.
_QUEUES = {"rule_evaluator": (app.QUEUE, "alarms"), "delivery": (waits.NAMESPACE, "waits")}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushRedis(Fault):
    """Redis is emptied by FLUSHALL."""

    def __str__(self) -> str:
        return "FLUSHALL in Redis"

    async def strike(self, scene: Scene) -> None:
        """Measures when that is noticed, and when all is rebuilt."""
        await _measured_loss(scene, self._flush)

    async def _flush(self, scene: Scene) -> None:
        async with Redis.from_url(scene.redis.url) as redis:
            await redis.flushall()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRedis(Fault):
    """Redis is killed, and comes back empty."""

    away_seconds: float

    def __str__(self) -> str:
        return f"kill Redis, away for {self.away_seconds:.1f} s, back empty"

    async def strike(self, scene: Scene) -> None:
        """Measures when the loss is noticed after the return, and when all is rebuilt."""
        await scene.redis.kill()
        try:
            with scene.without_redis():
                await asyncio.sleep(self.away_seconds)
        finally:
            back = asyncio.create_task(_measured_loss(scene, self._start), name="redis-back")
            await asyncio.shield(back)

    async def _start(self, scene: Scene) -> None:
        await scene.redis.start()


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindRedis(Fault):
    """Redis is killed, and in its place comes one that lacks the last writes.

    So it is with a replica that lagged when it was promoted, and with a file written now and then.
    """

    behind_seconds: float

    def __str__(self) -> str:
        return f"kill Redis, back at once as it was {self.behind_seconds:.1f} s before"

    async def strike(self, scene: Scene) -> None:
        """Measures when the loss is noticed after the return, and when all is rebuilt."""
        async with Redis.from_url(scene.redis.url, decode_responses=True) as redis:
            told = await redis.config_get("dir", "dbfilename")
            await redis.save()
        copy = Path(told["dir"]) / told["dbfilename"]
        await asyncio.sleep(self.behind_seconds)
        await scene.redis.kill()
        back = asyncio.create_task(_measured_loss(scene, self._start), name="redis-back")
        try:
            await asyncio.shield(back)
        finally:
            copy.unlink(missing_ok=True)

    async def _start(self, scene: Scene) -> None:
        with scene.without_redis():
            await scene.redis.start()


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRedis(Fault):
    """Redis stands still, and goes on with all that it had."""

    seconds: float

    def __str__(self) -> str:
        return f"SIGSTOP Redis for {self.seconds:.1f} s"

    async def strike(self, scene: Scene) -> None:
        """Stops it, and wakes it."""
        pid = scene.redis.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with scene.without_redis():
                await asyncio.sleep(self.seconds)
        finally:
            os.kill(pid, signal.SIGCONT)


async def _measured_loss(scene: Scene, lose: Callable[[Scene], Awaitable[None]]) -> None:
    """Have Redis be empty, and measure when that is in each service's logs, and when made good."""
    alone, logs = scene.alone, {service: scene.logs(service) for service in _QUEUES}
    await lose(scene)

    async def measure(service: str, namespace: str, loop: str) -> None:
        noticed, whole = await asyncio.gather(
            until_logged(
                logs[service], _named(loop, set(), scene.shards), within=_PATIENCE_SECONDS
            ),
            until_whole(scene.redis.url, namespace, scene.shards, within=_PATIENCE_SECONDS),
        )
        undisturbed = alone and scene.alone
        scene.figures.add("loss in Redis noticed", service, noticed, alone=undisturbed)
        scene.figures.add("loss in Redis made good", service, whole, alone=undisturbed)

    await asyncio.gather(*(measure(name, *queue) for name, queue in _QUEUES.items()))


def _named(loop: str, found: set[int], count: int) -> Callable[[dict[str, Any]], bool]:
    """Say yes once a timer loop has told of so many shards that they were lost."""

    def enough(line: dict[str, Any]) -> bool:
        if line.get("event") == "timers_lost" and line.get("loop") == loop:
            found.update(line["shards"])
        return len(found) >= count

    return enough
