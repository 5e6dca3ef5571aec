"""A server as a child process: started, waited for, and ended in steps."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from hairspring.embedded import launch
from hairspring.embedded.errors import ServerFailed

_POLL_SECONDS = 0.01
_LOG_TAIL_BYTES = 4_000
_LOG_TAIL_LINES = 15
_LOG_KEPT_BYTES = 8_000_000

SAME_IDENTITY = "same"


class Child:
    """One run of a server program, tied to this process and in a session of its own.

    A session of its own, because Ctrl-C at a terminal goes to every process of the group: the
    servers are to end after their clients, when their owner says so. The kernel ties a child to
    the thread that started it; start it from the event loop's thread, which outlives it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path,
        environment: Mapping[str, str],
        identity: str = SAME_IDENTITY,
        orphaned: signal.Signals = signal.SIGTERM,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        _shorten(log)
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                launch_command(command, identity=identity, orphaned=orphaned),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(environment),
                start_new_session=True,
                pass_fds=pass_fds,
            )

    @property
    def pid(self) -> int:
        """The process id, of the server itself once it has been launched."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it has not ended yet."""
        self._process.send_signal(number)

    async def wait(self) -> int:
        """Wait until it ends, and return its exit status."""
        while (status := self._process.poll()) is None:
            await _exit_noticed(self._process.pid)
        return status

    async def ready(self, check: Callable[[], Awaitable[bool]], *, within: float) -> None:
        """Wait until `check` answers yes; raises `ServerFailed` on an end, or after `within` s."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while not await check():
            if not self.running:
                raise self.failure(f"ended with status {self._process.returncode} as it started")
            if loop.time() > deadline:
                raise self.failure(f"did not become ready within {within:g} seconds")
            await asyncio.sleep(_POLL_SECONDS)

    async def end(self, *steps: tuple[signal.Signals, float]) -> None:
        """Send each signal in turn and give it its seconds; SIGKILL comes last of all."""
        for number, seconds in steps:
            self.send(number)
            try:
                await asyncio.wait_for(self.wait(), seconds)
            except TimeoutError:
                continue
            return
        self.send(signal.SIGKILL)
        await self.wait()

    def failure(self, what: str) -> ServerFailed:
        """Describe a failure of this run with the last lines that it logged."""
        return ServerFailed(self.name, what, self.log, self.logged())

    def logged(self) -> str:
        """Read the last lines that this run has logged."""
        with self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, size - _LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])


def launch_command(
    command: Sequence[str],
    *,
    identity: str = SAME_IDENTITY,
    orphaned: signal.Signals = signal.SIGKILL,
) -> list[str]:
    """Wrap a command so that it takes the identity and gets `orphaned` when this process ends."""
    interpreter = [sys.executable, "-I", "-S", launch.__file__]
    return [*interpreter, str(os.getpid()), str(int(orphaned)), identity, *command]


async def _exit_noticed(pid: int) -> None:
    """Sleep until the process ends, or a moment where the system cannot tell."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        await asyncio.sleep(_POLL_SECONDS)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _shorten(log: Path) -> None:
    """Start the log anew once it has grown long, keeping the former one beside it."""
    if log.exists() and log.stat().st_size > _LOG_KEPT_BYTES:
        log.replace(log.with_suffix(".previous.log"))
