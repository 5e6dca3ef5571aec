"""`hairspring export log`: the event log as JSON lines, as it was accepted."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import click
import grpc.aio

from hairspring.cli import calls
from hairspring.cli.addresses import address_option
from hairspring.cli.output import write_line
from hairspring.contracts.event.v1 import event_log_service_pb2 as service_pb
from hairspring.contracts.event.v1 import event_pb2 as pb
from hairspring.contracts.event.v1.event_log_service_pb2_grpc import EventLogServiceStub
from hairspring.wire.event_lines import line

_BATCH = 2_000


@click.group()
def export() -> None:
    """Write out what is recorded."""


@export.command("log")
@click.option("--after", default=0, type=click.IntRange(0), help="Only from after this position.")
@address_option
def log(after: int, address: str | None) -> None:
    """Write the event log up to now as JSON lines, for `simulate --as-accepted`.

    In the Segment spec, with "position", "acceptedAt" and, where imported, "importId".
    """
    calls.run(_write(after, address))


async def _write(after: int, address: str | None) -> None:
    async with calls.open_service("ingest", address) as channel:
        async for record in _recorded(channel, after):
            written = line(record)
            if written is not None:
                write_line(written)
    sys.stdout.flush()


async def _recorded(channel: grpc.aio.Channel, after: int) -> AsyncIterator[pb.EventRecord]:
    stream = EventLogServiceStub(channel).TailEvents(
        service_pb.TailEventsRequest(after_position=after, max_batch_size=_BATCH, stop_at_head=True)
    )
    async for batch in stream:
        for record in batch.records:
            yield record
