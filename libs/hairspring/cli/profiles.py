"""`hairspring profiles`: what is known of somebody, written out or deleted."""

from __future__ import annotations

import asyncio
import sys
import time
import uuid

import click
import grpc.aio

from hairspring.cli import calls, receipts
from hairspring.cli.addresses import address_option
from hairspring.cli.output import console, format_option, printable, say
from hairspring.contracts.privacy.v1 import privacy_pb2 as pb
from hairspring.contracts.privacy.v1 import privacy_service_pb2 as service_pb
from hairspring.contracts.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceStub

EXPORT_SECONDS = 3_600.0
LONGEST_WAIT = 120.0
LOOK_SECONDS = 0.2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def profiles() -> None:
    """Write out all that is known of somebody, or delete it."""


@profiles.command()
@click.argument("profile")
@address_option
def export(profile: str, address: str | None) -> None:
    """Write all that is known of a profile as JSON lines.

    Events, rejects, traits, tags, memberships, what is in quarantine, transitions, runs and
    messages; each line says in "kind" what it is.
    """
    calls.run(_export(profile, address))


@profiles.command()
@click.argument("profile")
@click.option("--yes", is_flag=True, help="Do not ask whether that is meant.")
@click.option("--no-wait", is_flag=True, help="Do not wait until all services are done.")
@click.option("--id", "deletion_id", help="Names the deletion; the same again deletes nothing.")
@format_option
@address_option
def delete(
    profile: str,
    yes: bool,
    no_wait: bool,
    deletion_id: str | None,
    output_format: str,
    address: str | None,
) -> None:
    """Delete all that is recorded and known of a profile, for good, and print the receipt.

    What happened before never comes back, from nowhere; what comes later starts a new profile.
    """
    if not yes and sys.stdin.isatty():
        click.confirm(
            f"Delete all that is known of {printable(profile)}, for good?", abort=True, err=True
        )
    request = service_pb.DeleteProfileRequest(
        profile_id=profile,
        # Made here, so that the library may try again after a broken connection.
        deletion_id=deletion_id or str(uuid.uuid4()),
    )
    calls.run(_delete(request, not no_wait, output_format, address))


@profiles.command()
@click.argument("deletion_id")
@format_option
@address_option
def receipt(deletion_id: str, output_format: str, address: str | None) -> None:
    """Tell how far a deletion is in each service, and what it erased."""
    calls.run(_receipt(deletion_id, output_format, address))


async def _export(profile: str, address: str | None) -> None:
    known = False
    request = service_pb.ExportProfileRequest(profile_id=profile)
    async with calls.open_service("delivery", address) as channel:
        stream = PrivacyServiceStub(channel).ExportProfile(request, timeout=EXPORT_SECONDS)
        async for part in stream:
            known = True
            sys.stdout.buffer.write(part.lines)
    sys.stdout.flush()
    if not known:
        say(f"Nothing is known of {printable(profile)}.")


async def _delete(
    request: service_pb.DeleteProfileRequest, wait: bool, output_format: str, address: str | None
) -> None:
    async with calls.open_service("delivery", address) as channel:
        answer = await PrivacyServiceStub(channel).DeleteProfile(
            request, timeout=calls.DEADLINE_SECONDS
        )
        deletion = answer.deletion
        if wait:
            deletion = await _until_done(channel, deletion.deletion_id)
    receipts.tell(deletion, output_format)
    if wait and not receipts.done(deletion):
        say(
            "It goes on in the background: "
            f"`hairspring profiles receipt {deletion.deletion_id}` tells how far it is."
        )
        sys.exit(1)


async def _until_done(channel: grpc.aio.Channel, deletion_id: str) -> pb.Deletion:
    """Wait until all services are done, or for two minutes, and answer how it stands."""
    end = time.monotonic() + LONGEST_WAIT
    with console(error=True).status("deleting") as status:
        while True:
            found = await _get(channel, deletion_id)
            if receipts.done(found) or time.monotonic() > end:
                return found
            status.update(receipts.progress(found))
            await asyncio.sleep(LOOK_SECONDS)


async def _receipt(deletion_id: str, output_format: str, address: str | None) -> None:
    async with calls.open_service("delivery", address) as channel:
        found = await _get(channel, deletion_id)
    receipts.tell(found, output_format)


async def _get(channel: grpc.aio.Channel, deletion_id: str) -> pb.Deletion:
    answer = await PrivacyServiceStub(channel).GetDeletion(
        service_pb.GetDeletionRequest(deletion_id=deletion_id), timeout=calls.DEADLINE_SECONDS
    )
    deletion: pb.Deletion = answer.deletion
    return deletion
