"""From the start of a process to its graceful end."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import uvloop

from hairspring.runtime.config import BadSettings, Settings
from hairspring.runtime.errors import StartFailed
from hairspring.runtime.logging import get_logger

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """The wish that this process ends. Asked for once, seen by everybody."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.reason = ""

    @property
    def requested(self) -> bool:
        """Tell whether the end has been asked for."""
        return self._event.is_set()

    def request(self, reason: str) -> None:
        """Ask for the end. The first reason stays."""
        if not self._event.is_set():
            self.reason = reason
            self._event.set()

    async def wait(self) -> None:
        """Wait until the end is asked for."""
        await self._event.wait()


Main = Callable[[Stop], Awaitable[None]]


def run(
    main: Main,
    *,
    clear_errors: tuple[type[BaseException], ...] = (),
    parent_pid: int = 0,
    die_with_parent: bool = False,
    stop_seconds: float = 30.0,
) -> int:
    """Run a main on uvloop until it returns, and answer the exit code of the process.

    SIGTERM and SIGINT request the stop; a second one leaves at once, and so does an end that takes
    longer than `stop_seconds` (a server that hangs), with exit code 1. StartFailed and the
    `clear_errors` become one line on stderr and exit code 1, BadSettings exit code 2.
    """
    if die_with_parent or parent_pid:
        _die_with_parent(parent_pid)
    try:
        uvloop.run(_guarded(main, stop_seconds))
    except BadSettings as error:
        return _tell(error, 2)
    except StartFailed as error:
        return _tell(error, 1)
    except clear_errors as error:
        return _tell(error, 1)
    except KeyboardInterrupt:
        return 130
    except Exception:
        get_logger().exception("service_failed")
        return 1
    return 0


def announce(
    service: str, settings: Settings, address: str, *, ready_fd: int | None = None
) -> None:
    """Tell that the service is ready: a log line, the ready file, and one line on `ready_fd`."""
    said = orjson.dumps({"service": service, "address": address, "pid": os.getpid()})
    if settings.ready_file:
        _write_whole(Path(settings.ready_file), said)
    if ready_fd is not None:
        with os.fdopen(ready_fd, "wb") as out:
            out.write(said + b"\n")
    get_logger().info("service_started", address=address, pid=os.getpid())


async def _guarded(main: Main, stop_seconds: float) -> None:
    stop = Stop()
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.requested:
            os._exit(128 + number)
        get_logger().info("stop_requested", signal=signal.Signals(number).name)
        stop.request(signal.Signals(number).name)

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    loop.set_exception_handler(_log_stray)
    work = asyncio.ensure_future(main(stop))
    stopped = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    late = loop.call_later(stop_seconds, _leave, stop_seconds)
    await work
    late.cancel()
    get_logger().info("service_stopped", reason=stop.reason or "done")


def _leave(seconds: float) -> None:
    """Leave a process whose end takes too long; what is committed is safe."""
    stuck = [f"{task.get_name()}: {_where(task)}" for task in asyncio.all_tasks()]
    get_logger().error("stop_took_too_long", seconds=seconds, tasks=stuck)
    os._exit(1)


def _where(task: "asyncio.Task[object]") -> str:
    """Tell the line at which a task waits."""
    frames = task.get_stack()
    return f"{frames[-1].f_code.co_qualname}:{frames[-1].f_lineno}" if frames else "nowhere"


def _log_stray(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Log an error that nobody awaited, instead of losing it or ending the process."""
    error = context.get("exception")
    stray = error if isinstance(error, BaseException) else None
    get_logger().error("stray_error", message=str(context.get("message")), exc_info=stray)


def _die_with_parent(parent_pid: int) -> None:
    """Have the kernel end this process by SIGTERM when its parent is gone (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent_pid and os.getppid() != parent_pid:
        raise SystemExit(0)


def _tell(error: BaseException, code: int) -> int:
    print(f"hairspring: {error}", file=sys.stderr)
    return code


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or none."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
