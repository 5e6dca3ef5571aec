"""The command of a service: `python -m hairspring.services.<name>`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import click

from hairspring.runtime import garbage, lifecycle, logging
from hairspring.runtime.config import BadSettings, Settings, load, variable
from hairspring.runtime.lifecycle import Stop

S = TypeVar("S", bound=Settings)

CLOSE_SECONDS = 10.0
"""How long connections have to close after the calls in flight were drained."""

Announce = Callable[[str], None]
"""Tells the world that the service is ready at this address."""


def service_command(
    name: str,
    settings: type[S],
    main: Callable[[S, Stop, Announce], Awaitable[None]],
    *,
    story: str,
    required: Iterable[str] = (),
    clear_errors: tuple[type[BaseException], ...] = (),
) -> click.Command:
    """Build the command that reads the settings and runs the service until it is told to stop.

    `main(settings, stop, announce)` calls `announce(address)` once it is ready. Errors of the kinds
    `clear_errors` are told in one line, as `errors.StartFailed` is.
    """
    needed = tuple(required)

    @click.command(name=name, help=story, epilog=_epilog(needed))
    @click.option("--die-with-parent", is_flag=True, help="End when the parent process is gone.")
    @click.option("--ready-fd", type=int, help="Write one JSON line here once it is ready.")
    def command(die_with_parent: bool, ready_fd: int | None) -> None:
        try:
            told = load(settings, required=needed, serves=True)
        except BadSettings as error:
            click.echo(f"hairspring: {error}", err=True)
            sys.exit(2)
        logging.configure(service=name, log_format=told.log_format, log_level=told.log_level)

        async def run(stop: Stop) -> None:
            started = asyncio.Event()

            def announce(address: str) -> None:
                started.set()
                garbage.spare_the_old()
                lifecycle.announce(name, told, address, ready_fd=ready_fd)

            await _until_stopped(main(told, stop, announce), stop, started)

        code = lifecycle.run(
            run,
            clear_errors=clear_errors,
            parent_pid=told.parent_pid,
            die_with_parent=die_with_parent,
            stop_seconds=told.drain_seconds + CLOSE_SECONDS,
        )
        sys.exit(code)

    return command


async def _until_stopped(work: Awaitable[None], stop: Stop, started: asyncio.Event) -> None:
    """Let the main end by itself when it is told to stop; cut it off where it has not started."""
    main = asyncio.ensure_future(work)
    stopped = asyncio.create_task(stop.wait(), name="stop-before-start")
    await asyncio.wait({main, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not main.done() and not started.is_set():
        main.cancel()
        await asyncio.wait({main})
        if main.cancelled():
            return
    await main


def _epilog(required: tuple[str, ...]) -> str:
    said = "Settings are environment variables that begin with HAIRSPRING_."
    names = ", ".join(variable(name) for name in required)
    return f"{said} Required: {names}." if names else said
