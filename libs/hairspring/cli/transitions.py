"""`hairspring transitions`: who entered and left which segment, listed or followed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import click
import grpc.aio

from hairspring.cli import calls, records
from hairspring.cli.addresses import address_option
from hairspring.cli.explained_line import evidence
from hairspring.cli.output import format_option
from hairspring.cli.sheet import Sheet
from hairspring.contracts.transition.v1 import transition_pb2 as pb
from hairspring.contracts.transition.v1 import transition_service_pb2 as service_pb
from hairspring.contracts.transition.v1.transition_service_pb2_grpc import TransitionServiceStub
from hairspring.wire.transitions import transition_json

_PAGE = 1_000
AT_THE_HEAD = -1


@click.command()
@click.option("--segment", default="", help="Only this segment.")
@click.option("--profile", default="", help="Only this profile.")
@click.option("--why", is_flag=True, help="Tell the reasons that were stored with each.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@format_option
@address_option
def transitions(
    segment: str, profile: str, why: bool, follow: bool, output_format: str, address: str | None
) -> None:
    """List or follow who entered and left.

    In the order in which it was recorded; the time is the one at which it took effect.
    """
    calls.run(_print(segment, profile, why, follow, output_format, address))


async def _print(
    segment: str, profile: str, why: bool, follow: bool, output_format: str, address: str | None
) -> None:
    empty = "No transitions yet." if not (segment or profile) else "No such transitions."
    async with calls.open_service("evaluator", address) as channel:
        columns = (*records.COLUMNS, records.WHY) if why else records.COLUMNS
        with Sheet(output_format, columns, empty=empty) as sheet:
            position = 0
            async for record in listed(channel, segment=segment, profile=profile):
                _add(sheet, record, why)
                position = record.position
            sheet.flush()
            if follow:
                async for batch in tailed(channel, after=position):
                    for record in batch:
                        if _asked_for(record, segment, profile):
                            _add(sheet, record, why)
                    sheet.flush()


async def listed(
    channel: grpc.aio.Channel, *, segment: str = "", profile: str = ""
) -> AsyncIterator[pb.Record]:
    """Read all recorded transitions, page by page."""
    stub = TransitionServiceStub(channel)
    token = ""
    while True:
        page = await stub.ListTransitions(
            service_pb.ListTransitionsRequest(
                segment=segment, profile_id=profile, page_size=_PAGE, page_token=token
            ),
            timeout=calls.DEADLINE_SECONDS,
        )
        for record in page.records:
            yield record
        token = page.next_page_token
        if not token:
            return


async def tailed(
    channel: grpc.aio.Channel, *, after: int = AT_THE_HEAD
) -> AsyncIterator[list[pb.Record]]:
    """Follow the log from after a position, by default from its head, without end."""
    stub = TransitionServiceStub(channel)
    stream = stub.TailRecords(service_pb.TailRecordsRequest(after_position=after))
    async for batch in stream:
        yield list(batch.records)


def _asked_for(record: pb.Record, segment: str, profile: str) -> bool:
    if record.WhichOneof("body") != "transition":
        return False
    if profile and record.profile_id != profile:
        return False
    return not segment or record.transition.segment == segment


def _add(sheet: Sheet, record: pb.Record, why: bool) -> None:
    line = transition_json(record)
    cells = records.cells(line)
    if why:
        line |= {"position": record.position, "evidence": evidence(record.transition)}
        cells.append(records.why(record))
    sheet.add(line, cells)
