"""A replica ends, by SIGKILL or by SIGTERM, and starts again after a while."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.chaos.faults.fault import Fault
from tests.chaos.scene import Scene

_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill(Fault):
    """An owner of shards is killed."""

    service: str
    away_seconds: float

    def __str__(self) -> str:
        return f"SIGKILL a {self.service}, away for {self.away_seconds:.1f} s"

    async def strike(self, scene: Scene) -> None:
        """Measures how long it takes until others own what it owned."""
        victim = await scene.owner(self.service, self.chance())
        pid, began = victim.service.pid, time.monotonic()
        alone = scene.alone
        await victim.kill()
        if self.service != "ingest" and scene.replicas.running(self.service):
            took = await scene.watch.until_taken(self.service, pid, within=_PATIENCE_SECONDS)
            alone &= scene.alone
            scene.figures.add("take-over after a kill", self.service, took, alone=alone)
        await asyncio.sleep(max(0.0, began + self.away_seconds - time.monotonic()))
        await victim.start()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate(Fault):
    """An owner of shards is told to end, as when replicas are taken away; later it comes back."""

    service: str
    away_seconds: float

    def __str__(self) -> str:
        return f"SIGTERM a {self.service}, away for {self.away_seconds:.1f} s"

    async def strike(self, scene: Scene) -> None:
        """Measures how long it takes until others own what it owned."""
        victim = await scene.owner(self.service, self.chance())
        pid, alone = victim.service.pid, scene.alone
        others = [one for one in scene.replicas.running(self.service) if one is not victim]
        ending = asyncio.create_task(victim.stop(), name=f"end-{victim.name}")
        if self.service != "ingest" and others:
            took = await scene.watch.until_taken(self.service, pid, within=_PATIENCE_SECONDS)
            alone &= scene.alone
            scene.figures.add("hand-over after SIGTERM", self.service, took, alone=alone)
        code = await ending
        if code:
            scene.notes.append(f"{victim.name} ended with {code} after SIGTERM")
        await asyncio.sleep(self.away_seconds)
        await victim.start()
