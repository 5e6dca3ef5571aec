"""Reads a file of events in a process of its own, so that reading and judging share two cores.

`read_apart` starts `python -m hairspring.cli.reading`, which reads the file as `event_order` does
and passes on what has to be judged. Frames come back through its standard output: four bytes of
length, then a marshalled pair of a kind and its content. It is in a session of its own, so Ctrl-C
is ours alone to answer, and the kernel ends it with this process, in whatever way that ends.
"""

from __future__ import annotations

import fcntl
import gc
import marshal
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import click

from hairspring.cli import event_order
from hairspring.cli.event_files import EventFile
from hairspring.cli.event_order import Numbered, OutOfOrder, Problem
from hairspring.embedded.processes import launch_command

_EVENTS, _PROBLEMS, _OUT_OF_ORDER, _FAILED, _FINISHED = range(5)
_FRAME = 500
_PIPE_BYTES = 1024 * 1024
_LENGTH = struct.Struct("!I")

#: Below this many bytes on disk, starting a process takes longer than it saves.
_WORTH_IT = 24 * 1024 * 1024
_WORTH_IT_COMPRESSED = 3 * 1024 * 1024


def is_worth_it(file: EventFile) -> bool:
    """Tell whether a file is large enough, and two cores are there, for a second process to help.

    It has to find the file too: `/dev/stdin` may be one, but is another one over there.
    """
    least = _WORTH_IT_COMPRESSED if file.is_compressed else _WORTH_IT
    enough = file.size >= least and len(os.sched_getaffinity(0)) > 1
    return enough and Path(file.name).resolve().is_file()


def read_apart(place: str, names: frozenset[str] | None, problem: Problem) -> Iterator[Numbered]:
    """Give the events that are `needed`, in the order of the file, read by another process.

    Raises `OutOfOrder` and `ClickException` as reading in this process would.
    """
    command = [sys.executable, "-P", "-m", "hairspring.cli.reading"]
    process = subprocess.Popen(
        launch_command(command, orphaned=signal.SIGKILL),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    _widen(process.stdout)
    try:
        wanted = None if names is None else sorted(names)
        # Where it ended at once, that is found out when its answer does not come.
        with suppress(BrokenPipeError), process.stdin as asked:
            asked.write(marshal.dumps((place, str(Path(place).resolve()), wanted)))
        yield from _answered(process.stdout, problem)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _widen(pipe: IO[bytes]) -> None:
    """Let more frames wait in the pipe, so that neither side waits for the other each time."""
    with suppress(OSError):  # Where the system allows no more, it works with what there is.
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _answered(frames: IO[bytes], problem: Problem) -> Iterator[Numbered]:
    while True:
        head = frames.read(_LENGTH.size)
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
        content = frames.read(length)
        if not content or len(content) < length:
            raise click.ClickException(
                "The process that reads the file has ended before the file did. "
                "Was it killed, for want of memory perhaps? Try again."
            )
        kind, told = marshal.loads(content)
        if kind == _EVENTS:
            yield from told
        elif kind == _PROBLEMS:
            for number, what in told:
                problem(number, what)
        elif kind == _OUT_OF_ORDER:
            raise OutOfOrder(told)
        elif kind == _FAILED:
            raise click.ClickException(told)
        else:
            return


class _Frames:
    """Writes what was read; what was told of problems comes before the events behind them."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._problems: list[tuple[int, str]] = []
        self._events: list[Numbered] = []

    def problem(self, number: int, what: str) -> None:
        self._problems.append((number, what))
        if len(self._problems) >= _FRAME:
            self.flush()

    def events(self, events: Iterator[Numbered]) -> None:
        gathered = self._events
        for event in events:
            gathered.append(event)
            if len(gathered) >= _FRAME:
                self.flush()

    def flush(self) -> None:
        if self._problems:
            self.write(_PROBLEMS, self._problems)
            self._problems.clear()
        if self._events:
            self.write(_EVENTS, self._events)
            self._events.clear()

    def write(self, kind: int, content: Any) -> None:
        frame = marshal.dumps((kind, content))
        self._out.write(_LENGTH.pack(len(frame)) + frame)


def _read(place: str, path: str, names: frozenset[str] | None, frames: _Frames) -> None:
    try:
        with EventFile(path) as file:
            file.name = place
            events = event_order.streamed(file, frames.problem)
            frames.events(event_order.needed(events, names))
    except OutOfOrder as found:
        frames.flush()
        frames.write(_OUT_OF_ORDER, found.line)
    except click.ClickException as error:
        frames.flush()
        frames.write(_FAILED, error.message)
    else:
        frames.flush()
        frames.write(_FINISHED, None)


def main() -> None:
    """Read the file that the standard input names, and answer on the standard output."""
    request = sys.stdin.buffer.read()
    if not request:
        return  # Whoever wanted it has gone.
    place, path, names = marshal.loads(request)
    gc.disable()  # What is made for a line is gone with it, and holds no circles.
    # Not sys.stdout, which may write a part only where Python is told not to buffer.
    with open(sys.stdout.fileno(), "wb", buffering=_PIPE_BYTES, closefd=False) as out:
        _read(place, path, None if names is None else frozenset(names), _Frames(out))


if __name__ == "__main__":
    main()
