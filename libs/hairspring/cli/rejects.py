"""`hairspring rejects`: what could not be accepted, and taking it in again."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import click
from google.protobuf import json_format

from hairspring.cli import calls, times
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option, printable, write_line
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.reject.v1 import reject_pb2 as pb
from hairspring.contracts.reject.v1 import reject_service_pb2 as service_pb
from hairspring.contracts.reject.v1.reject_service_pb2_grpc import RejectServiceStub
from hairspring.wire.times import iso, to_ms

_PAGE = 1_000
_AT_ONCE = 500
_COLUMNS = (
    Column(title="reject", right=True, style="bold"),
    Column(title="since", style="dim"),
    Column(title="came as"),
    Column(title="why", style="red"),
    Column(title="profile"),
    Column(title="message id"),
    Column(title="replays", right=True),
    Column(title="problem", detail=True),
)
_OUTCOMES = (
    Column(title="reject", right=True, style="bold"),
    Column(title="status"),
    Column(title="problem", detail=True),
)
_EMPTY = "There are no rejects."


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def rejects() -> None:
    """Tell what was sent and could not be accepted, and take it in again.

    It is kept for a week. What `hairspring import` could not take stands in its own reject file.
    """


@rejects.command("list")
@click.option("--code", default="", help="Only those of this code, such as too_large.")
@format_option
@address_option
def list_(code: str, output_format: str, address: str | None) -> None:
    """List rejects, the latest first."""
    calls.run(_list(code, output_format, address))


@rejects.command()
@click.argument("reject", type=int)
@address_option
def show(reject: int, address: str | None) -> None:
    """Print one reject with what was sent, as JSON."""
    calls.run(_show(reject, address))


@rejects.command()
@click.argument("rejects_", nargs=-1, type=int, metavar="[REJECT]...")
@click.option("--all", "everything", is_flag=True, help="All that there are.")
@click.option("--code", default="", help="All those of this code.")
@format_option
@address_option
def replay(
    rejects_: tuple[int, ...], everything: bool, code: str, output_format: str, address: str | None
) -> None:
    """Take rejects in again, by the rules of now, under the times at which they came.

    The exit code is 1 if any of them was refused again.
    """
    if [bool(rejects_), everything, bool(code)].count(True) != 1:
        raise click.UsageError("Name rejects, or give --code or --all.")
    calls.run(_replay(rejects_, code, output_format, address))


async def _list(code: str, output_format: str, address: str | None) -> None:
    async with calls.open_service("ingest", address) as channel:
        with Sheet(output_format, _COLUMNS, empty=_EMPTY) as sheet:
            async for one in _all(RejectServiceStub(channel), code):
                sheet.add(_line(one), _cells(one))


async def _show(reject: int, address: str | None) -> None:
    async with calls.open_service("ingest", address) as channel:
        answer = await RejectServiceStub(channel).GetReject(
            service_pb.GetRejectRequest(reject_id=reject), timeout=calls.DEADLINE_SECONDS
        )
    one = answer.reject
    line = _line(one)
    if one.HasField("event"):
        line["event"] = json_format.MessageToDict(one.event)
    else:
        line["payload"] = one.payload.decode("utf-8", "replace")
    if one.envelope_json:
        line["envelope"] = one.envelope_json.decode("utf-8", "replace")
    write_line(line)


async def _replay(named: Sequence[int], code: str, output_format: str, address: str | None) -> None:
    refused = False
    async with calls.open_service("ingest", address) as channel:
        stub = RejectServiceStub(channel)
        ids = list(named) or sorted([one.reject_id async for one in _all(stub, code)])
        with Sheet(output_format, _OUTCOMES, empty=_EMPTY) as sheet:
            for start in range(0, len(ids), _AT_ONCE):
                answer = await stub.ReplayRejects(
                    service_pb.ReplayRejectsRequest(reject_ids=ids[start : start + _AT_ONCE]),
                    timeout=calls.DEADLINE_SECONDS,
                )
                for outcome in answer.outcomes:
                    refused |= not outcome.accepted
                    status = "accepted" if outcome.accepted else "refused"
                    line = {"reject": outcome.reject_id, "status": status}
                    sheet.add(
                        line if outcome.accepted else {**line, "problem": outcome.problem},
                        [str(outcome.reject_id), status, printable(outcome.problem)],
                    )
    if refused:
        sys.exit(1)


async def _all(stub: RejectServiceStub, code: str) -> AsyncIterator[pb.Reject]:
    request = service_pb.ListRejectsRequest(code=code, page_size=_PAGE)
    while True:
        page = await stub.ListRejects(request, timeout=calls.DEADLINE_SECONDS)
        for one in page.rejects:
            yield one
        request.page_token = page.next_page_token
        if not request.page_token:
            return


def _source(one: pb.Reject) -> str:
    return pb.RejectSource.Name(one.source).removeprefix("REJECT_SOURCE_").lower()


def _line(one: pb.Reject) -> dict[str, Any]:
    return {
        "reject": one.reject_id,
        "received_at": iso(to_ms(one.receive_time)),
        "source": _source(one),
        "code": one.code,
        "problem": one.problem,
        "message_id": one.message_id,
        "profile": one.profile_id,
        "kind": one.kind,
        "cut": one.cut,
        "replays": one.replays,
    }


def _cells(one: pb.Reject) -> list[str]:
    return [
        str(one.reject_id),
        times.to_local(to_ms(one.receive_time)),
        _source(one),
        one.code,
        printable(one.profile_id),
        printable(one.message_id),
        str(one.replays or ""),
        printable(one.problem),
    ]
