"""A collector that is killed in the middle of what is sent, and what the log has in the end."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections import Counter

from hairspring.contracts.event.v1 import event_pb2

from tests.integration.ingest.running import Ingest, IngestProcess
from tests.support.waiting import eventually

HALF = 150
PATIENCE = 90.0


class Collecting:
    """A collector as a process, always at the same address.

    With a socket that is `kept` for it (as systemd or `hairspring up` do), what comes while it is
    away waits there; without one it is refused.
    """

    def __init__(
        self, process: IngestProcess, address: str, kept: socket.socket | None = None
    ) -> None:
        self._process = process
        self._listen = f"fd:{kept.fileno()}" if kept else address
        self._process.pass_fds = (kept.fileno(),) if kept else ()
        self.url = f"http://{address}"
        self.service: Ingest

    async def start(self) -> None:
        """Start it, for the first time or again."""
        self.service = await self._process.start(HAIRSPRING_INGEST_HTTP=self._listen)

    async def kill(self) -> None:
        """End it without a word."""
        await self._process.end(signal.SIGKILL)

    async def delivered(self, first: int, end: int) -> list[event_pb2.EventRecord]:
        """Wait until the events of these numbers are in the log; each is there once."""

        async def so() -> list[event_pb2.EventRecord]:
            records = await self.service.read()
            numbers = numbers_of(records)
            missing = set(range(first, end)) - numbers.keys()
            assert not missing, f"{len(missing)} are missing, such as {sorted(missing)[:5]}"
            return records

        records = await eventually(so, timeout=PATIENCE, every=0.2)
        assert set(numbers_of(records).values()) == {1}
        return records


def numbers_of(records: list[event_pb2.EventRecord]) -> Counter[int]:
    """How often each numbered event is in the log."""
    return Counter(
        int(json.loads(record.event.properties_json)["number"])
        for record in records
        if record.event.name == "Product Added"
    )


async def killed_in_the_middle(
    collecting: Collecting, *command: str
) -> list[event_pb2.EventRecord]:
    """Run a sender whose second half finds no collector, start that again, and wait for all.

    A sender says `half` and waits for a line, says `sent` and flushes, and ends.
    """
    sender = await asyncio.create_subprocess_exec(
        *command,
        collecting.url,
        str(HALF),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert sender.stdin is not None
    assert sender.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            await _said(sender.stdout, b"half")
            await collecting.delivered(0, HALF)
            await collecting.kill()
            sender.stdin.write(b"go on\n")
            await _said(sender.stdout, b"sent")
            await asyncio.sleep(0.5)  # So that some of it has been tried in vain.
            await collecting.start()
            assert await sender.wait() == 0
    finally:
        if sender.returncode is None:
            sender.kill()
            await sender.wait()
    return await collecting.delivered(0, 2 * HALF)


async def _said(out: asyncio.StreamReader, word: bytes) -> None:
    """Read what a sender says until it says the word."""
    while (line := await out.readline()).strip() != word:
        assert line, f"the sender ended before it said {word!r}"
