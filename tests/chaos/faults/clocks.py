"""The time of day of a replica's machine jumps, and is set right again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.chaos.faults.fault import Fault
from tests.chaos.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpClock(Fault):
    """An owner of shards has a wrong clock for a while."""

    service: str
    wrong_by_seconds: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"the clock of a {self.service} jumps by {self.wrong_by_seconds:+.1f} s"
            f" for {self.seconds:.1f} s"
        )

    async def strike(self, scene: Scene) -> None:
        """Sets it wrong, and right again."""
        victim = await scene.owner(self.service, self.chance())
        victim.clock.go_wrong(self.wrong_by_seconds)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            victim.clock.go_right()
