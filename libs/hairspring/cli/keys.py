"""`hairspring keys`: making, listing and revoking the keys to workspaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from hairspring.cli import calls, times
from hairspring.cli.addresses import address_option
from hairspring.cli.output import console, format_option, printable, say, write_line
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.access.v1 import access_pb2
from hairspring.contracts.key.v1 import key_pb2 as pb
from hairspring.contracts.key.v1 import key_service_pb2 as service_pb
from hairspring.contracts.key.v1.key_service_pb2_grpc import KeyServiceStub
from hairspring.wire.times import iso, ms_of, to_ms

_COLUMNS = (
    Column(title="key", style="bold"),
    Column(title="name"),
    Column(title="may"),
    Column(title="events/s", right=True),
    Column(title="made", style="dim"),
    Column(title="revoked", style="red"),
)
_workspace_option = click.option(
    "--workspace", default="", help="Another workspace than that of your key, or than `default`."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def keys() -> None:
    """Make, list and revoke keys.

    A key opens one workspace, for writing events, for reading, or for administering it, which
    includes both. Making one for a workspace that does not exist begins it, which takes the token
    of the deployment (HAIRSPRING_SERVICE_TOKEN, or a running `up`).
    """


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["write", "read", "admin"]),
    help="What its bearer may do; can be given several times. Default: write.",
)
@click.option(
    "--rate", default=0, type=click.IntRange(0), help="The most events a second. Default: no limit."
)
@_workspace_option
@format_option
@address_option
def create(
    name: str,
    scopes: Sequence[str],
    rate: int,
    workspace: str,
    output_format: str,
    address: str | None,
) -> None:
    """Make a key, and print what its bearer shows. It is not kept: store it at once.

    NAME says what the key is for.
    """
    request = service_pb.CreateKeyRequest(
        workspace_id=workspace,
        name=name,
        scopes=[access_pb2.Scope.Value(f"SCOPE_{one.upper()}") for one in scopes or ["write"]],
        events_per_second=rate,
    )
    calls.run(_create(request, output_format, address))


@keys.command("list")
@click.option("--all", "with_revoked", is_flag=True, help="Also those that were revoked.")
@_workspace_option
@format_option
@address_option
def list_(with_revoked: bool, workspace: str, output_format: str, address: str | None) -> None:
    """List the keys of a workspace, the latest first."""
    request = service_pb.ListKeysRequest(workspace_id=workspace, with_revoked=with_revoked)
    calls.run(_list(request, output_format, address))


@keys.command()
@click.argument("key_id", metavar="KEY")
@_workspace_option
@format_option
@address_option
def revoke(key_id: str, workspace: str, output_format: str, address: str | None) -> None:
    """Revoke a key: within seconds it opens nothing."""
    request = service_pb.RevokeKeyRequest(workspace_id=workspace, key_id=key_id)
    calls.run(_revoke(request, output_format, address))


async def _create(
    request: service_pb.CreateKeyRequest, output_format: str, address: str | None
) -> None:
    async with calls.open_service("ingest", address, for_deployment=True) as channel:
        answer = await KeyServiceStub(channel).CreateKey(request, timeout=calls.DEADLINE_SECONDS)
    if output_format == "jsonl":
        write_line({**_line(answer.key), "token": answer.token})
        return
    console().print(f"{answer.key.key_id}  {printable(answer.key.name)}", markup=False)
    click.echo(answer.token)
    say("Keep it now: it cannot be shown again.")


async def _list(
    request: service_pb.ListKeysRequest, output_format: str, address: str | None
) -> None:
    async with calls.open_service("ingest", address, for_deployment=True) as channel:
        answer = await KeyServiceStub(channel).ListKeys(request, timeout=calls.DEADLINE_SECONDS)
    with Sheet(output_format, _COLUMNS, empty="There are no keys.") as sheet:
        for key in answer.keys:
            sheet.add(_line(key), _cells(key))


async def _revoke(
    request: service_pb.RevokeKeyRequest, output_format: str, address: str | None
) -> None:
    async with calls.open_service("ingest", address, for_deployment=True) as channel:
        answer = await KeyServiceStub(channel).RevokeKey(request, timeout=calls.DEADLINE_SECONDS)
    if output_format == "jsonl":
        write_line(_line(answer.key))
        return
    console().print(f"revoked  {answer.key.key_id}  {printable(answer.key.name)}", markup=False)


def _may(key: pb.Key) -> list[str]:
    return [access_pb2.Scope.Name(scope).removeprefix("SCOPE_").lower() for scope in key.scopes]


def _line(key: pb.Key) -> dict[str, Any]:
    line: dict[str, Any] = {
        "key": key.key_id,
        "workspace": key.workspace_id,
        "name": key.name,
        "scopes": _may(key),
        "events_per_second": key.events_per_second,
        "created_at": iso(to_ms(key.create_time)),
    }
    if (at := ms_of(key, "revoke_time")) is not None:
        line["revoked_at"] = iso(at)
    return line


def _cells(key: pb.Key) -> list[str]:
    revoked = ms_of(key, "revoke_time")
    return [
        key.key_id,
        printable(key.name),
        ", ".join(_may(key)),
        str(key.events_per_second or ""),
        times.to_local(to_ms(key.create_time)),
        "" if revoked is None else times.to_local(revoked),
    ]
