"""`hairspring profiles`: what is known of somebody, written out."""

from __future__ import annotations

import sys

import click

from hairspring.cli import calls
from hairspring.cli.addresses import address_option
from hairspring.cli.output import printable, say
from hairspring.contracts.privacy.v1 import privacy_service_pb2 as service_pb
from hairspring.contracts.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceStub

EXPORT_SECONDS = 3_600.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def profiles() -> None:
    """Write out all that is known of somebody."""


@profiles.command()
@click.argument("profile")
@address_option
def export(profile: str, address: str | None) -> None:
    """Write all that is known of a profile as JSON lines.

    Events, traits, tags, memberships, what is in quarantine, transitions, runs and messages; each
    line says in "kind" what it is.
    """
    calls.run(_export(profile, address))


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
