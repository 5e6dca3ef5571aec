"""`hairspring track`: records one event."""

from __future__ import annotations

import uuid
from typing import Any

import click
import orjson

from hairspring.cli import assignments, calls, times
from hairspring.cli.addresses import address_option
from hairspring.cli.output import console, format_option, write_line
from hairspring.contracts.event.v1 import event_pb2 as pb
from hairspring.contracts.event.v1 import event_service_pb2 as service_pb
from hairspring.contracts.event.v1.event_service_pb2_grpc import EventServiceStub
from hairspring.wire.times import from_ms, iso, to_ms

_STATUSES = {
    service_pb.EVENT_STATUS_ACCEPTED: "accepted",
    service_pb.EVENT_STATUS_REPEATED: "repeated",
    service_pb.EVENT_STATUS_REFUSED: "refused",
    service_pb.EVENT_STATUS_DELETED: "deleted",
}


@click.command()
@click.argument("event")
@click.option("--profile", required=True, help="Whose event it is.")
@click.option(
    "--property",
    "properties",
    multiple=True,
    metavar="NAME=VALUE",
    help="A property; JSON where the value parses as such, else text. May be repeated.",
)
@click.option("--time", "at", metavar="TIME", help="When it happened, ISO 8601. Default: now.")
@click.option("--message-id", help="Names the event: the same again is not recorded twice.")
@format_option
@address_option
def track(
    event: str,
    profile: str,
    properties: tuple[str, ...],
    at: str | None,
    message_id: str | None,
    output_format: str,
    address: str | None,
) -> None:
    """Record one event, such as: track "Product Added" --profile ada --property price=20"""
    request = pb.Event(
        name=event,
        profile_id=profile,
        type=pb.EVENT_TYPE_TRACK,
        # Made here, so that the library may try again after a broken connection.
        message_id=message_id or str(uuid.uuid4()),
        properties_json=orjson.dumps(assignments.parse(properties, "--property")),
        occur_time=from_ms(moment(at)) if at else None,
    )
    calls.run(_track(request, output_format, address))


async def _track(event: pb.Event, output_format: str, address: str | None) -> None:
    async with calls.open_service("ingest", address) as channel:
        answer = await EventServiceStub(channel).TrackEvent(
            service_pb.TrackEventRequest(event=event), timeout=calls.DEADLINE_SECONDS
        )
    tell(answer.result, f"{event.name} of {event.profile_id}", output_format)


def tell(result: service_pb.EventResult, what: str, output_format: str) -> None:
    """Print what became of one call; raises `ClickException` where it is not recorded."""
    if result.status in (service_pb.EVENT_STATUS_REFUSED, service_pb.EVENT_STATUS_DELETED):
        raise click.ClickException(f"Refused: {result.problem}")
    status = _STATUSES.get(result.status, "")
    if output_format == "jsonl":
        write_line(_line(result, status))
    elif status == "repeated":
        console().print(f"[dim]repeated[/]  {what}: it was recorded before", markup=True)
    else:
        console().print(f"[green]accepted[/]  {what}  [dim]position {result.position}[/]")


def moment(text: str) -> int:
    """Read a time of the command line; raises `UsageError`."""
    parsed = times.parse(text)
    if parsed is None:
        raise click.UsageError(f"--time takes ISO 8601 such as 2026-05-01T12:00:00Z, not {text!r}.")
    return parsed.at


def _line(result: service_pb.EventResult, status: str) -> dict[str, Any]:
    line: dict[str, Any] = {"status": status, "message_id": result.message_id}
    if result.position:
        line["position"] = result.position
        line["accepted_at"] = iso(to_ms(result.accept_time))
    return line
