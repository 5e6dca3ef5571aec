"""One more replica comes, and goes again."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

from tests.chaos.faults.fault import Fault
from tests.chaos.scene import Scene
from tests.chaos.watching import AWAY

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(Fault):
    """A replica is added for a while."""

    service: str
    seconds: float

    def __str__(self) -> str:
        return f"one more {self.service} for {self.seconds:.1f} s"

    async def strike(self, scene: Scene) -> None:
        """Measures when it has a share of the shards, if replicas share them."""
        spare = [one for one in scene.replicas.by_service[self.service] if not one.wanted]
        if not spare:
            return
        added, alone = spare[0], scene.alone
        await added.start()
        began = time.monotonic()
        shared = self.service == "ingest"
        while time.monotonic() < began + self.seconds:
            if not shared:
                with suppress(*AWAY):
                    shared = added.service.pid in await scene.watch.owners(self.service)
                if shared:
                    seconds = time.monotonic() - began
                    alone &= scene.alone
                    scene.figures.add(
                        "first share of a new replica", self.service, seconds, alone=alone
                    )
            await asyncio.sleep(_LOOK_SECONDS)
        await added.stop()
