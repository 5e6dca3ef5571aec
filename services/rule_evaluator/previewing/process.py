"""A preview under way: a process that judges, and profiles that it is given."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from hairspring.runtime.errors import Unavailable
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.previewing.question import Found, Question

MODULE = "hairspring.services.rule_evaluator.previewing.worker"


class Preview:
    """Asks the process of a preview, one line at a time, from a thread that may wait for it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    async def begin(self, question: Question) -> None:
        """Tells what is to be judged."""
        await asyncio.to_thread(self._write, question.to_line())

    async def judge(self, profiles: Sequence[str]) -> int:
        """Has some profiles judged, and answers how many events they have."""
        return int(await self._ask(orjson.dumps(profiles) + b"\n"))

    async def found(self) -> Found:
        """What all profiles together came to."""
        return Found(**await self._ask(b"[]\n"))

    async def _ask(self, line: bytes) -> Any:
        answer = await asyncio.to_thread(self._write_and_read, line)
        if not answer:
            raise Unavailable("the preview was broken off; ask again, and look into the log")
        return orjson.loads(answer)

    def _write_and_read(self, line: bytes) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline() if self._write(line) else b""

    def _write(self, line: bytes) -> bool:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):  # it has ended, or was ended and closed
            return False
        return True


@asynccontextmanager
async def started(question: Question) -> AsyncIterator[Preview]:
    """Starts the process of a preview; in the end, or when this is cancelled, it is gone."""
    process = await asyncio.to_thread(_start)
    get_logger().info("preview_started", segment=question.segment, process=process.pid)
    try:
        preview = Preview(process)
        await preview.begin(question)
        yield preview
    finally:
        process.kill()
        process.wait()
        get_logger().info("preview_ended", segment=question.segment)


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
