"""Postgres ends as in a crash, and recovers."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass

from tests.chaos.faults.fault import Fault
from tests.chaos.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPostgres(Fault):
    """Postgres is ended at once, with no checkpoint, and started on the same data and port."""

    away_seconds: float
    killed: bool  #: By SIGKILL; otherwise by SIGQUIT, an "immediate" stop.

    def __str__(self) -> str:
        how = "SIGKILL" if self.killed else "immediate stop"
        return f"{how} of Postgres, away for {self.away_seconds:.1f} s"

    async def strike(self, scene: Scene) -> None:
        """Ends it, and starts it again."""
        if not self.killed:
            os.kill(scene.postgres.pid, signal.SIGQUIT)
            await scene.postgres.wait()
        await scene.postgres.kill()
        try:
            await asyncio.sleep(self.away_seconds)
        finally:
            await asyncio.shield(scene.postgres.start())
