"""`hairspring runs`: how profiles pass through flows."""

from __future__ import annotations

from typing import Any

import click

from hairspring.cli import calls, times
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.flow.v1 import flow_service_pb2 as service_pb
from hairspring.contracts.flow.v1 import run_pb2 as pb
from hairspring.contracts.flow.v1.flow_service_pb2_grpc import FlowServiceStub
from hairspring.wire.times import iso, to_ms

_STATUSES = {
    "active": pb.RUN_STATUS_ACTIVE,
    "ended": pb.RUN_STATUS_ENDED,
    "not-started": pb.RUN_STATUS_NOT_STARTED,
}
_NAMES = {number: name for name, number in _STATUSES.items()}
_MOMENTS = {"start_time": "started_at", "end_time": "ended_at", "due_time": "due_at"}
_COLUMNS = (
    Column(title="started", style="dim"),
    Column(title="flow", style="cyan"),
    Column(title="profile", style="bold"),
    Column(title="status"),
    Column(title="step", right=True),
    Column(title="reason", detail=True),
    Column(title="next step due", style="dim", detail=True),
)


@click.command()
@click.option("--flow", default="", help="Only this flow.")
@click.option("--profile", default="", help="Only this profile.")
@click.option("--status", type=click.Choice(list(_STATUSES)), help="Only this status.")
@click.option("--last", type=click.IntRange(1), default=100, show_default=True, help="How many.")
@format_option
@address_option
def runs(
    flow: str,
    profile: str,
    status: str | None,
    last: int,
    output_format: str,
    address: str | None,
) -> None:
    """List the runs of flows, the latest first."""
    request = service_pb.ListRunsRequest(
        flow=flow,
        profile_id=profile,
        status=_STATUSES[status] if status else pb.RUN_STATUS_UNSPECIFIED,
    )
    calls.run(_print(request, last, output_format, address))


async def _print(
    request: service_pb.ListRunsRequest, last: int, output_format: str, address: str | None
) -> None:
    async with calls.open_service("delivery", address) as channel:
        stub = FlowServiceStub(channel)
        with Sheet(output_format, _COLUMNS, empty="No runs.") as sheet:
            while last > 0:
                request.page_size = min(last, 1_000)
                page = await stub.ListRuns(request, timeout=calls.DEADLINE_SECONDS)
                for run in page.runs:
                    sheet.add(_line(run), _cells(run))
                last -= len(page.runs)
                request.page_token = page.next_page_token
                if not page.next_page_token:
                    return


def _line(run: pb.Run) -> dict[str, Any]:
    line: dict[str, Any] = {
        "run_id": run.run_id,
        "flow": run.flow,
        "profile": run.profile_id,
        "status": _NAMES.get(run.status, ""),
        "step": run.step,
        "reason": run.reason,
    }
    for name, written in _MOMENTS.items():
        if run.HasField(name):  # type: ignore[arg-type]
            line[written] = iso(to_ms(getattr(run, name)))
    return line


def _cells(run: pb.Run) -> list[str]:
    due = times.to_local(to_ms(run.due_time)) if run.HasField("due_time") else ""
    return [
        times.to_local(to_ms(run.start_time)),
        run.flow,
        run.profile_id,
        _NAMES.get(run.status, ""),
        str(run.step),
        run.reason,
        due,
    ]
