"""A replica stands still, or gets hardly any time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.chaos.faults.fault import Fault
from tests.chaos.scene import Scene

_STILL_SECONDS, _RUN_SECONDS = 0.15, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Fault):
    """An owner of shards is stopped where it is, and goes on with all that it knew."""

    service: str
    seconds: float

    def __str__(self) -> str:
        return f"SIGSTOP a {self.service} for {self.seconds:.1f} s"

    async def strike(self, scene: Scene) -> None:
        """Measures how long it takes until others own what it owned."""
        victim = await scene.owner(self.service, self.chance())
        pid, began, alone = victim.service.pid, time.monotonic(), scene.alone
        others = [one for one in scene.replicas.running(self.service) if one is not victim]
        victim.service.pause()
        try:
            if self.service != "ingest" and others:
                took = await scene.watch.until_taken(self.service, pid, within=self.seconds)
                alone &= scene.alone
                scene.figures.add("take-over after a pause", self.service, took, alone=alone)
            await asyncio.sleep(max(0.0, began + self.seconds - time.monotonic()))
        finally:
            if victim.service.running:
                victim.service.wake()


@dataclass(frozen=True, slots=True, kw_only=True)
class FillLoop(Fault):
    """A replica's event loop is full: it gets its turn about one millisecond in eight."""

    service: str
    seconds: float

    def __str__(self) -> str:
        return f"fill the event loop of a {self.service} for {self.seconds:.1f} s"

    async def strike(self, scene: Scene) -> None:
        """Stops and wakes it in fast alternation."""
        victim = await scene.owner(self.service, self.chance())
        service, until = victim.service, time.monotonic() + self.seconds
        while time.monotonic() < until and service.running:
            service.pause()
            try:
                await asyncio.sleep(_STILL_SECONDS)
            finally:
                if service.running:
                    service.wake()
            await asyncio.sleep(_RUN_SECONDS)
