"""The `hairspring` command as a person runs it, at a terminal or in a pipe."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import eventually

HAIRSPRING = str(Path(sys.executable).parent / "hairspring")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_WIDTH, _HEIGHT = 160, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    errors: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A directory and an environment in which commands are run."""

    directory: Path
    environment: dict[str, str]

    async def run(self, *arguments: str, stdin: bytes = b"") -> Said:
        """Run `hairspring` with these arguments in a pipe."""
        process = await asyncio.create_subprocess_exec(
            HAIRSPRING,
            *arguments,
            cwd=self.directory,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await process.communicate(stdin)
        return Said(code=process.returncode or 0, out=out.decode(), errors=errors.decode())

    async def show(self, command: str) -> Said:
        """Run a line of shell at a terminal; what it says comes without colours."""
        return await asyncio.to_thread(self._show, command)

    def _show(self, command: str) -> Said:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (_HEIGHT, _WIDTH))
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=self.directory,
            env={**self.environment, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        content = bytearray()
        with suppress(OSError):  # a terminal whose last writer has gone answers EIO
            while chunk := os.read(ours, 65_536):
                content += chunk
        os.close(ours)
        return Said(code=process.wait(), out=_CONTROL.sub("", content.decode("utf-8", "replace")))


class Up:
    """A running `hairspring up`."""

    def __init__(self, shell: Shell, process: asyncio.subprocess.Process, output: Path) -> None:
        self.shell = shell
        self.process = process
        self._output = output

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self._output.read_text()

    def children(self) -> list[int]:
        """The processes that it has started, and those that they have."""
        found, queue = [], [self.process.pid]
        while queue:
            parent = queue.pop()
            with suppress(OSError):
                for task in Path(f"/proc/{parent}/task").iterdir():
                    queue += [int(pid) for pid in (task / "children").read_text().split()]
            found.append(parent)
        return found[1:]

    def services(self) -> list[int]:
        """Those of its processes that are services."""
        return [pid for pid in self.children() if b"hairspring.services" in _command(pid)]

    async def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal, and wait for the end."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(30):
            return await self.process.wait()


def make_shell(directory: Path) -> Shell:
    """Make a shell in which nothing of this person's own `up` or settings is seen."""
    ours = ("SMTP_URL", "INGEST_ADDRESS", "EVALUATOR_ADDRESS", "DELIVERY_ADDRESS")
    unset = {"COLUMNS", "LINES", *(f"HAIRSPRING_{part}" for part in ours)}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment["XDG_STATE_HOME"] = str(directory / "state")
    environment["PATH"] = f"{Path(HAIRSPRING).parent}:{environment.get('PATH', '')}"
    return Shell(directory=directory, environment=environment)


@asynccontextmanager
async def running_up(shell: Shell, *arguments: str, ready: bool = True) -> AsyncIterator[Up]:
    """Run `hairspring up` on free ports until the block ends."""
    output = shell.directory / "up.txt"
    ports = [f"--{name}-port=0" for name in ("http", "ingest", "evaluator", "delivery")]
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            HAIRSPRING,
            "up",
            *ports,
            *arguments,
            cwd=shell.directory,
            env=shell.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    up = Up(shell, process, output)
    try:
        if ready:
            await eventually(lambda: _running(up), timeout=60)
        yield up
    finally:
        await up.end()


def alive(pids: Sequence[int]) -> list[int]:
    """Which of these processes are still there and no zombies."""
    return [pid for pid in pids if _state(pid) not in ("", "Z", "X")]


def _running(up: Up) -> bool:
    assert up.process.returncode is None, up.output
    return "Hairspring is running." in up.output


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
