"""Reading back: one definition as it was written, now or once, and the versions that it had."""

from __future__ import annotations

from collections.abc import AsyncIterator

import click
import grpc.aio

from hairspring.cli import calls, times
from hairspring.cli.apply import CHANGES, KINDS
from hairspring.cli.output import write_line
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.definition.v1 import definition_pb2 as pb
from hairspring.contracts.definition.v1 import definition_service_pb2 as service_pb
from hairspring.contracts.definition.v1.definition_service_pb2_grpc import DefinitionServiceStub
from hairspring.wire.times import iso, set_ms, to_ms

_COLUMNS = (
    Column(title="version", right=True, style="bold"),
    Column(title="applied", style="dim"),
    Column(title="change"),
)


def moment(text: str) -> int:
    """Read a time in milliseconds, UTC; raises `UsageError`."""
    parsed = times.parse(text)
    if parsed is None:
        raise click.UsageError(f"--at takes ISO 8601 such as 2026-05-01T12:00Z, not {text!r}.")
    return parsed.at


def as_of(
    request: service_pb.GetDefinitionRequest | service_pb.ListDefinitionsRequest,
    version: int | None,
    at: int | None,
) -> None:
    """Ask as of a plan version, or a time in milliseconds, UTC."""
    if version is not None:
        request.plan_version = version
    elif at is not None:
        set_ms(request.read_time, at)


async def print_one(
    asked: service_pb.GetDefinitionRequest, output_format: str, address: str | None
) -> None:
    """Print a definition."""
    async with calls.open_service("evaluator", address) as channel:
        answer = await DefinitionServiceStub(channel).GetDefinition(
            asked, timeout=calls.DEADLINE_SECONDS
        )
    found = answer.definition
    if output_format == "yaml":
        click.echo(found.source, nl=False)
        return
    write_line(
        {
            "kind": KINDS[found.kind],
            "name": found.name,
            "version": found.version,
            "applied_at": iso(to_ms(found.apply_time)),
            "source": found.source,
        }
    )


async def print_versions(
    kind: pb.DefinitionKind.ValueType, name: str, output_format: str, address: str | None
) -> None:
    """List the versions of a definition, the latest first."""
    async with calls.open_service("evaluator", address) as channel:
        with Sheet(output_format, _COLUMNS, empty=f"{name} has no versions.") as sheet:
            async for version in _versions(channel, kind, name):
                at, change = to_ms(version.apply_time), CHANGES[version.type]
                line = {"version": version.version, "applied_at": iso(at), "change": change}
                cells = [str(version.version), times.to_local(at), change]
                sheet.add({**line, "source": version.source}, cells)


async def _versions(
    channel: grpc.aio.Channel, kind: pb.DefinitionKind.ValueType, name: str
) -> AsyncIterator[pb.DefinitionVersion]:
    stub, token = DefinitionServiceStub(channel), ""
    while True:
        page = await stub.ListDefinitionVersions(
            service_pb.ListDefinitionVersionsRequest(kind=kind, name=name, page_token=token),
            timeout=calls.DEADLINE_SECONDS,
        )
        for version in page.versions:
            yield version
        token = page.next_page_token
        if not token:
            return
