"""`hairspring up`: everything on this machine, told as it happens, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
import orjson
from rich.markup import escape

from hairspring.cli import addresses, tails
from hairspring.cli.narration import Narrator
from hairspring.cli.output import console
from hairspring.cli.signals import run_until_signal
from hairspring.cli.stack import COLLECTOR, Options, Stack, run_stack
from hairspring.embedded.errors import EmbeddedError

_PORT = click.IntRange(0, 65_535)


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the data lives. Default: hairspring/data in your state directory.",
)
@click.option("--http-port", type=_PORT, help="For SDKs. Default: 7300, or a free one.")
@click.option("--ingest-port", type=_PORT, help="Default: 7301, or a free one where it is taken.")
@click.option("--evaluator-port", type=_PORT, help="Default: 7302, or a free one.")
@click.option("--delivery-port", type=_PORT, help="Default: 7303, or a free one.")
def up(
    data: Path | None,
    http_port: int | None,
    ingest_port: int | None,
    evaluator_port: int | None,
    delivery_port: int | None,
) -> None:
    """Run everything on this machine, until Ctrl-C.

    Postgres and Valkey are bundled, unless HAIRSPRING_POSTGRES_URL and HAIRSPRING_REDIS_URL name
    yours; mails are written to files, unless HAIRSPRING_SMTP_URL names a mail server.
    """
    asked = {
        COLLECTOR: http_port,
        "ingest": ingest_port,
        "evaluator": evaluator_port,
        "delivery": delivery_port,
    }
    options = Options(
        data=data or addresses.data_directory(),
        ports={name: port for name, port in asked.items() if port is not None},
    )
    try:
        run_until_signal(_run(options), stopping="Stopping…")
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from error


async def _run(options: Options) -> None:
    narrator = Narrator()
    console().print("Hairspring is starting…", style="dim")
    async with run_stack(options, narrator.note) as stack:
        with _announced(stack):
            _welcome(stack)
            async with asyncio.TaskGroup() as watching:
                watching.create_task(
                    tails.follow_records(stack.evaluator, stack.keys.key, narrator.hear_records),
                    name="records",
                )
                watching.create_task(
                    tails.follow_log(stack.services["delivery"].log, narrator.hear_delivery),
                    name="delivery-log",
                )


@contextmanager
def _announced(stack: Stack) -> Iterator[None]:
    """Let other commands find this `up`, while it runs."""
    running = addresses.Running(
        pid=os.getpid(),
        started=addresses.start_of(os.getpid()),
        data=str(stack.data),
        ingest=stack.ingest,
        evaluator=stack.evaluator,
        delivery=stack.delivery,
        collector=stack.collector,
        key=stack.keys.key,
        service_token=stack.keys.service_token,
    )
    beside = stack.data / "up.json"
    addresses.write_private(beside, orjson.dumps(asdict(running)))
    note = addresses.announce(running)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)
        beside.unlink(missing_ok=True)


def _welcome(stack: Stack) -> None:
    rows = {
        "SDKs send to": stack.collector,
        **({"their write key": stack.keys.write_key} if stack.keys.write_key else {}),
        "ingest": stack.ingest,
        "rule-evaluator": stack.evaluator,
        "delivery": stack.delivery,
        **{name: f"127.0.0.1:{port}" for name, port in stack.servers.items()},
        "data": str(stack.data),
        **({"mails": str(stack.mails)} if stack.mails else {}),
        "logs": str(stack.logs),
    }
    out = console()
    out.print("[bold green]Hairspring is running.[/]")
    for name, value in rows.items():
        out.print(f"  [dim]{name:<15}[/] {escape(value)}", soft_wrap=True)
    out.print(
        "In another terminal: hairspring apply -f FILE\n"
        "                     hairspring track EVENT --profile ID\n"
        "Ctrl-C stops it all.\n",
        style="dim",
        soft_wrap=True,
    )
