"""`hairspring identify`: sets traits of a profile."""

from __future__ import annotations

import uuid

import click
import orjson

from hairspring.cli import assignments, calls
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option
from hairspring.cli.track import moment, tell
from hairspring.contracts.event.v1 import event_service_pb2 as service_pb
from hairspring.contracts.event.v1.event_service_pb2_grpc import EventServiceStub
from hairspring.wire.times import from_ms


@click.command()
@click.option("--profile", required=True, help="Whose traits they are.")
@click.option(
    "--trait",
    "traits",
    multiple=True,
    required=True,
    metavar="NAME=VALUE",
    help="A trait; JSON where the value parses as such (null unsets it), else text. Repeatable.",
)
@click.option("--anonymous", default="", help="The anonymous id she had; both are one from now on.")
@click.option("--time", "at", metavar="TIME", help="Since when it is so, ISO 8601. Default: now.")
@click.option("--message-id", help="Names the call: the same again is not recorded twice.")
@format_option
@address_option
def identify(
    profile: str,
    traits: tuple[str, ...],
    anonymous: str,
    at: str | None,
    message_id: str | None,
    output_format: str,
    address: str | None,
) -> None:
    """Set traits, such as: identify --profile ada --trait name=Ada --trait email=ada@example.com"""
    request = service_pb.IdentifyProfileRequest(
        profile_id=profile,
        anonymous_id=anonymous,
        message_id=message_id or str(uuid.uuid4()),
        traits_json=orjson.dumps(assignments.parse(traits, "--trait")),
        occur_time=from_ms(moment(at)) if at else None,
    )
    calls.run(_identify(request, output_format, address))


async def _identify(
    request: service_pb.IdentifyProfileRequest, output_format: str, address: str | None
) -> None:
    async with calls.open_service("ingest", address) as channel:
        answer = await EventServiceStub(channel).IdentifyProfile(
            request, timeout=calls.DEADLINE_SECONDS
        )
    tell(answer.result, f"traits of {request.profile_id}", output_format)
