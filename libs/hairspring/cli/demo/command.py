"""`hairspring demo`: plays a small shop in real time, and tells what happened."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import click

from hairspring.cli import calls, tails
from hairspring.cli.apply import tell_problems
from hairspring.cli.demo import display, shop
from hairspring.cli.demo.measures import Measures
from hairspring.cli.demo.player import Player
from hairspring.cli.demo.summary import summary
from hairspring.cli.narration import Narrator
from hairspring.cli.output import console
from hairspring.cli.signals import run_until_signal
from hairspring.cli.stack import USUAL_PORTS, Options, Stack, run_stack
from hairspring.contracts.definition.v1 import definition_pb2, definition_service_pb2
from hairspring.contracts.definition.v1.definition_service_pb2_grpc import DefinitionServiceStub
from hairspring.contracts.flow.v1 import flow_service_pb2, run_pb2
from hairspring.contracts.flow.v1.flow_service_pb2_grpc import FlowServiceStub
from hairspring.contracts.transition.v1 import transition_pb2 as pb
from hairspring.embedded.errors import EmbeddedError
from hairspring.embedded.mail import SunkMail

# The segment is entered 6 s after the last event of a cart, and its mail goes out 3 s later.
_ABANDONED_AFTER_SECONDS = 7.0
_LAST_RUNS_SECONDS = 8.0
_FRAMES_A_SECOND = 4
_KEPT = ("mails", "logs")
_EPHEMERAL = dict.fromkeys(USUAL_PORTS, 0)


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(5, 3_600),
    default=60,
    show_default=True,
    help="How long the shop is played.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, another shop.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the data lives. Default: a temporary directory, of which the mails are kept.",
)
def demo(seconds: float, seed: int, data: Path | None) -> None:
    """Watch a small shop live for a minute.

    Everything runs on this machine. Shoppers look, add, remove, buy or leave; who leaves a full
    cart behind gets a mail, which is written to a file.
    """
    directory = data or Path(tempfile.mkdtemp(prefix="hairspring-demo-"))
    demonstration = _Demonstration(directory, seconds, seed)
    try:
        stopped = run_until_signal(demonstration.run(), stopping="Stopping…")
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from error
    finally:
        if data is None:
            _tidy(directory)
    if stopped:
        sys.exit(130)
    if not demonstration.mails:
        sys.exit(1)


class _Demonstration:
    """One run: what it plays, and what it has measured."""

    def __init__(self, directory: Path, seconds: float, seed: int) -> None:
        self._options = Options(data=directory, ports=_EPHEMERAL, durable=False, sink_only=True)
        self._seconds = seconds
        self._actions = shop.plan(seed, seconds)
        self._measures = Measures()
        self._narrator = Narrator()
        self._stack: Stack | None = None

    @property
    def mails(self) -> Sequence[SunkMail]:
        """The mails that were delivered."""
        return self._stack.sink.messages if self._stack and self._stack.sink else []

    async def run(self) -> None:
        """Start everything, play the shop, wait for the last mails, and tell what happened."""
        out = console()
        out.print("Hairspring is starting: Postgres, Valkey and three services…", style="dim")
        began = time.monotonic()
        async with run_stack(self._options, self._narrator.note) as stack:
            self._stack = stack
            segments = await _apply(stack)
            out.print(f"Ready after {time.monotonic() - began:.1f} s.", style="dim")
            async with self._followed(stack), self._shown(segments):
                async with calls.open_service(
                    "ingest", stack.ingest, key=stack.keys.key
                ) as channel:
                    await Player(channel, self._measures.event_accepted).play(self._actions)
                await self._last_mails(stack)
            out.print(summary(self._measures, self.mails, stack.logs), soft_wrap=True)

    @asynccontextmanager
    async def _followed(self, stack: Stack) -> AsyncIterator[None]:
        """Follow the evaluator's log within the block."""
        task = asyncio.create_task(
            tails.follow_records(stack.evaluator, stack.keys.key, self._hear), name="demo-records"
        )
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _hear(self, heard: Sequence[pb.Record]) -> None:
        arrived_at = time.time() * 1000
        for record in heard:
            self._measures.record_arrived(record, arrived_at)
        if not sys.stdout.isatty():
            self._narrator.hear_records(heard)

    @asynccontextmanager
    async def _shown(self, segments: Sequence[str]) -> AsyncIterator[None]:
        """Draw the screen within the block, or tell the mails line by line where there is none."""
        show = self._draw if sys.stdout.isatty() else self._tell_mails
        task = asyncio.create_task(show(segments), name="demo-screen")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _draw(self, segments: Sequence[str]) -> None:
        from rich.live import Live

        began = time.monotonic()
        with Live(console=console(), screen=True, auto_refresh=False) as live:
            while True:
                elapsed = time.monotonic() - began
                live.update(
                    display.screen(
                        self._measures,
                        self.mails,
                        segments,
                        elapsed=elapsed,
                        seconds=self._seconds,
                    ),
                    refresh=True,
                )
                await asyncio.sleep(1 / _FRAMES_A_SECOND)

    async def _tell_mails(self, segments: Sequence[str]) -> None:
        told = 0
        while True:
            for mail in self.mails[told:]:
                self._narrator.mail(mail)
            told = len(self.mails)
            await asyncio.sleep(1 / _FRAMES_A_SECOND)

    async def _last_mails(self, stack: Stack) -> None:
        """Wait until the last carts have been found abandoned and their runs are over."""
        await asyncio.sleep(_ABANDONED_AFTER_SECONDS)
        request = flow_service_pb2.ListRunsRequest(status=run_pb2.RUN_STATUS_ACTIVE, page_size=1)
        deadline = time.monotonic() + _LAST_RUNS_SECONDS
        async with calls.open_service("delivery", stack.delivery, key=stack.keys.key) as channel:
            while time.monotonic() < deadline:
                answer = await FlowServiceStub(channel).ListRuns(
                    request, timeout=calls.DEADLINE_SECONDS, wait_for_ready=True
                )
                if not answer.runs:
                    return
                await asyncio.sleep(0.5)


async def _apply(stack: Stack) -> list[str]:
    """Put the definitions in force; returns the names of the segments."""
    text = resources.files("hairspring.cli.demo").joinpath("definitions.yaml").read_text("utf-8")
    manifest = definition_pb2.Manifest(path="definitions.yaml", text=text)
    async with calls.open_service("evaluator", stack.evaluator, key=stack.keys.key) as channel:
        answer = await DefinitionServiceStub(channel).ApplyDefinitions(
            definition_service_pb2.ApplyDefinitionsRequest(manifests=[manifest]),
            timeout=calls.DEADLINE_SECONDS,
        )
    if answer.problems:
        tell_problems(answer.problems)
        raise click.ClickException("The definitions of the demonstration were not applied.")
    segment = definition_pb2.DEFINITION_KIND_SEGMENT
    return [change.name for change in answer.changes if change.kind == segment]


def _tidy(directory: Path) -> None:
    """Remove what the demonstration has stored, but not its mails and logs."""
    for path in directory.iterdir():
        if path.name in _KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
