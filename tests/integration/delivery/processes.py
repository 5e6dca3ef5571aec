"""Delivery as a process of its own, that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from hairspring.services.delivery.config import DeliverySettings

from tests.support.waiting import eventually


class DeliveryProcess:
    """A process of delivery; it is started, killed, and started again."""

    def __init__(self, settings: DeliverySettings, directory: Path) -> None:
        self._settings = settings
        self._ready = directory / "ready.json"
        self._log = directory / "delivery.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id of the one that runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has logged so far, over all its lives."""
        return self._log.read_text()

    async def start(self) -> str:
        """Start it, and answer its address once it is ready."""
        self._ready.unlink(missing_ok=True)
        told = self._settings
        environment = {
            **{key: value for key, value in os.environ.items() if "HAIRSPRING" not in key},
            "HAIRSPRING_POSTGRES_URL": told.postgres_url,
            "HAIRSPRING_REDIS_URL": told.redis_url,
            "HAIRSPRING_SMTP_URL": told.smtp_url,
            "HAIRSPRING_MAIL_FROM": told.mail_from,
            "HAIRSPRING_EVALUATOR_ADDRESS": told.evaluator_address,
            "HAIRSPRING_INGEST_ADDRESS": told.ingest_address,
            "HAIRSPRING_DELIVERY_LISTEN": told.delivery_listen,
            "HAIRSPRING_AUTH": told.auth,
            "HAIRSPRING_SHARDS": str(told.shards),
            "HAIRSPRING_READY_FILE": str(self._ready),
        }
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hairspring.services.delivery", env=environment, stderr=log
            )
        await eventually(self._ready.exists, timeout=30)
        return str(json.loads(self._ready.read_bytes())["address"])

    def hit(self, number: int) -> None:
        """Send it a signal, without waiting."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, wait for its end, and answer its exit code."""
        assert self._process is not None
        self.hit(number)
        return await self._process.wait()


async def run_to_end(**environment: str) -> tuple[int, str]:
    """Run delivery with nothing but this environment; answers its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hairspring.services.delivery",
        env={"PATH": os.environ["PATH"], **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    return process.returncode or 0, said.decode()
