"""`hairspring tags`: attaches tags to a profile, or takes them off."""

from __future__ import annotations

import uuid

import click

from hairspring.cli import calls
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option
from hairspring.cli.track import moment, tell
from hairspring.contracts.event.v1 import event_service_pb2 as service_pb
from hairspring.contracts.event.v1.event_service_pb2_grpc import EventServiceStub
from hairspring.wire.times import from_ms


@click.command()
@click.option("--profile", required=True, help="Whose tags they are.")
@click.option("--add", "added", multiple=True, metavar="TAG", help="Attach this one. Repeatable.")
@click.option("--remove", "removed", multiple=True, metavar="TAG", help="Take it off. Repeatable.")
@click.option("--time", "at", metavar="TIME", help="Since when it is so, ISO 8601. Default: now.")
@format_option
@address_option
def tags(
    profile: str,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    at: str | None,
    output_format: str,
    address: str | None,
) -> None:
    """Attach tags or take them off, such as: tags --profile ada --add vip --remove trial

    Conditions read them as `traits.tags`. For each tag the last call by time counts.
    """
    if not added and not removed:
        raise click.UsageError("Say which tags: --add TAG or --remove TAG.")
    if both := sorted({*added} & {*removed}):
        raise click.UsageError(f"{both[0]!r} cannot be attached and taken off at once.")
    calls.run(_tag(profile, added, removed, at, output_format, address))


async def _tag(
    profile: str,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    at: str | None,
    output_format: str,
    address: str | None,
) -> None:
    occurred = from_ms(moment(at)) if at else None
    async with calls.open_service("ingest", address) as channel:
        stub = EventServiceStub(channel)
        if added:
            adding = service_pb.AddTagsRequest(
                profile_id=profile, tags=added, message_id=str(uuid.uuid4()), occur_time=occurred
            )
            answer = await stub.AddTags(adding, timeout=calls.DEADLINE_SECONDS)
            tell(answer.result, f"tags of {profile}", output_format)
        if removed:
            removing = service_pb.RemoveTagsRequest(
                profile_id=profile, tags=removed, message_id=str(uuid.uuid4()), occur_time=occurred
            )
            taken = await stub.RemoveTags(removing, timeout=calls.DEADLINE_SECONDS)
            tell(taken.result, f"tags of {profile}", output_format)
