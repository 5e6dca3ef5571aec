"""One service as a child process: started, waited for, started again when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson

from hairspring.embedded.errors import ServerFailed
from hairspring.embedded.processes import Child

_READY_SECONDS = 60.0
_STOP_SECONDS = 6.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_CALM_SECONDS = 30.0

Tell = Callable[[str], None]
"""Tells people one line of what happens."""


class ServiceProcess:
    """Runs `python -m hairspring.services.NAME`, its log in a file, and learns its address.

    Each run of it has the open files `pass_fds`, such as a socket that we keep.
    """

    def __init__(
        self,
        name: str,
        *,
        environment: Mapping[str, str],
        logs: Path,
        run_directory: Path,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.title = name.replace("_", "-")
        self.log = logs / f"{self.title}.log"
        self.address = ""
        self._ready_file = run_directory / f"{self.title}.ready"
        self._environment = {**environment, "HAIRSPRING_READY_FILE": str(self._ready_file)}
        self._directory = run_directory
        self._pass_fds = pass_fds
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """The process id, 0 while there is none."""
        return self._child.pid if self._child else 0

    async def start(self) -> None:
        """Start it and wait until it is ready; raises `ServerFailed` with the end of its log."""
        self._ready_file.unlink(missing_ok=True)
        child = self._child = Child(
            self.title,
            [sys.executable, "-m", f"hairspring.services.{self.name}"],
            log=self.log,
            cwd=self._directory,
            environment=self._environment,
            orphaned=signal.SIGKILL,
            pass_fds=self._pass_fds,
        )
        await child.ready(self._is_ready, within=_READY_SECONDS)

    async def keep(self, tell: Tell) -> None:
        """Wait for its end without end of our own, and start it again, with bounded pauses."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while self._child is not None:
            since = loop.time()
            status = await self._child.wait()
            pause = _FIRST_PAUSE if loop.time() - since > _CALM_SECONDS else pause
            while True:
                tell(f"{self.title} {_ended(status)}; it is started again. Its log: {self.log}")
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                try:
                    await self.start()
                except ServerFailed:
                    status = await self._end()
                    continue
                tell(f"{self.title} is back")
                break

    async def stop(self) -> None:
        """Ask it to end, and end it after some seconds."""
        await self._end((signal.SIGTERM, _STOP_SECONDS))

    async def _end(self, *steps: tuple[signal.Signals, float]) -> int:
        if self._child is None:
            return 0
        await self._child.end(*steps)
        return await self._child.wait()

    async def _is_ready(self) -> bool:
        try:
            told = orjson.loads(self._ready_file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return False
        self.address = str(told["address"])
        return True


def _ended(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def inherited_environment() -> dict[str, str]:
    """Take over our own environment, for settings and for finding programs."""
    return {**os.environ, "PYTHONUNBUFFERED": "1"}
