"""`hairspring alias`: makes two ids one person."""

from __future__ import annotations

import uuid

import click

from hairspring.cli import calls
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option
from hairspring.cli.track import tell
from hairspring.contracts.event.v1 import event_service_pb2 as service_pb
from hairspring.contracts.event.v1.event_service_pb2_grpc import EventServiceStub


@click.command()
@click.option("--profile", required=True, help="The profile that goes on.")
@click.option("--previous", required=True, help="The id that becomes part of it, with its history.")
@click.option("--message-id", help="Names the call: the same again is not recorded twice.")
@format_option
@address_option
def alias(
    profile: str, previous: str, message_id: str | None, output_format: str, address: str | None
) -> None:
    """Make two ids one person, such as: alias --profile ada --previous ada@old.example

    Also where both are known persons; it cannot be undone.
    """
    request = service_pb.AliasProfileRequest(
        profile_id=profile, previous_id=previous, message_id=message_id or str(uuid.uuid4())
    )
    calls.run(_alias(request, output_format, address))


async def _alias(
    request: service_pb.AliasProfileRequest, output_format: str, address: str | None
) -> None:
    async with calls.open_service("ingest", address) as channel:
        answer = await EventServiceStub(channel).AliasProfile(
            request, timeout=calls.DEADLINE_SECONDS
        )
    tell(answer.result, f"{request.previous_id} is {request.profile_id}", output_format)
