"""`hairspring get`: what is in force, segments with their sizes, or one as it was written."""

from __future__ import annotations

from typing import Any

import click
import orjson

from hairspring.cli import calls, readback, times
from hairspring.cli.addresses import address_option
from hairspring.cli.filling import FILLING, segment_sizes, status_of
from hairspring.cli.output import default_format
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.definition.v1 import definition_pb2 as pb
from hairspring.contracts.definition.v1 import definition_service_pb2 as service_pb
from hairspring.contracts.definition.v1.definition_service_pb2_grpc import DefinitionServiceStub
from hairspring.contracts.membership.v1.membership_service_pb2 import SegmentCount
from hairspring.wire.times import iso, to_ms

_KINDS = {
    "segments": pb.DEFINITION_KIND_SEGMENT,
    "flows": pb.DEFINITION_KIND_FLOW,
    "templates": pb.DEFINITION_KIND_TEMPLATE,
}
_SINGULAR = {plural.removesuffix("s"): plural for plural in _KINDS}
_NAME = Column(title="name", style="bold")
_APPLIED = (Column(title="version", right=True), Column(title="applied", style="dim"))
_COLUMNS = {
    "segments": (
        _NAME,
        Column(title="members", right=True, style="cyan"),
        Column(title="status"),
        *_APPLIED,
        Column(title="description", detail=True),
    ),
    "flows": (
        _NAME,
        *_APPLIED,
        Column(title="trigger", detail=True),
        Column(title="steps", detail=True),
    ),
    "templates": (_NAME, *_APPLIED, Column(title="channel"), Column(title="subject", detail=True)),
}


@click.command()
@click.argument("what", type=click.Choice([*_KINDS, *_SINGULAR]), metavar="WHAT")
@click.argument("name", required=False)
@click.option("--versions", is_flag=True, help="List the versions that NAME had.")
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="As of plan version N.")
@click.option("--at", metavar="TIME", help="As of this time, such as 2026-05-01T12:00Z.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "jsonl", "yaml"]),
    help="How to print. Default: yaml with a NAME, else table at a terminal, jsonl in a pipe.",
)
@address_option
def get(
    what: str,
    name: str | None,
    versions: bool,
    version: int | None,
    at: str | None,
    output_format: str | None,
    address: str | None,
) -> None:
    """List what is in force, or print one definition as it was written.

    WHAT is segments, flows or templates (or one: segment, flow, template). With a NAME, its YAML is
    printed. Either is also told as it was at a plan version or a time.
    """
    what = _SINGULAR.get(what, what)
    if sum((versions, version is not None, at is not None)) > 1:
        raise click.UsageError("Choose one of --versions, --version and --at.")
    moment = None if at is None else readback.moment(at)
    if name is None:
        if versions:
            raise click.UsageError("--versions goes with a NAME.")
        listing = service_pb.ListDefinitionsRequest(kind=_KINDS[what])
        readback.as_of(listing, version, moment)
        calls.run(_print(what, listing, output_format or default_format(), address))
    elif versions:
        if output_format == "yaml":
            raise click.UsageError("--versions is printed as table or jsonl.")
        output_format = output_format or default_format()
        calls.run(readback.print_versions(_KINDS[what], name, output_format, address))
    else:
        if output_format == "table":
            raise click.UsageError("One definition is printed as yaml or jsonl.")
        asked = service_pb.GetDefinitionRequest(kind=_KINDS[what], name=name)
        readback.as_of(asked, version, moment)
        calls.run(readback.print_one(asked, output_format or "yaml", address))


async def _print(
    what: str,
    request: service_pb.ListDefinitionsRequest,
    output_format: str,
    address: str | None,
) -> None:
    async with calls.open_service("evaluator", address) as channel:
        answer = await DefinitionServiceStub(channel).ListDefinitions(
            request, timeout=calls.DEADLINE_SECONDS
        )
        # How many members there were is not kept, so only the present is told.
        counted = what == "segments" and request.WhichOneof("moment") is None
        sizes = await segment_sizes(channel) if counted else None
    if output_format == "yaml":
        click.echo("---\n".join(one.source for one in answer.definitions), nl=False)
        return
    with Sheet(output_format, _COLUMNS[what], empty=f"No {what} in force.") as sheet:
        for definition in answer.definitions:
            body = orjson.loads(definition.body_json or b"{}")
            size = None if sizes is None else sizes.get(definition.name, SegmentCount())
            sheet.add(_line(definition, body, size), _cells(what, definition, body, size))


def _line(
    definition: pb.Definition, body: dict[str, Any], size: SegmentCount | None
) -> dict[str, Any]:
    line: dict[str, Any] = {"name": definition.name, "version": definition.version}
    if size is not None:
        line["members"] = size.members
        line["status"] = "filling" if size.status == FILLING else "active"
        if size.status == FILLING:
            line["filled_percent"] = size.filled_percent
    applied = iso(to_ms(definition.apply_time))
    return {**line, "applied_at": applied, "definition": body}


def _cells(
    what: str, definition: pb.Definition, body: dict[str, Any], size: SegmentCount | None
) -> list[str]:
    applied = times.to_local(to_ms(definition.apply_time))
    known = [str(definition.version), applied]
    match what:
        case "segments":
            sized = ["", ""] if size is None else [str(size.members), status_of(size)]
            return [definition.name, *sized, *known, body.get("description") or ""]
        case "flows":
            trigger = " ".join(str(part) for item in body["trigger"].items() for part in item)
            steps = " → ".join(_step(step) for step in body.get("steps", []))
            return [definition.name, *known, trigger, steps]
        case _:
            return [definition.name, *known, body.get("channel", ""), body.get("subject", "")]


def _step(step: dict[str, Any]) -> str:
    if "wait" in step:
        return f"wait {duration(step['wait'])}"
    if "send" in step:
        return f"send {step['send'].get('template', '')}"
    return ", ".join(step)


def duration(milliseconds: int) -> str:
    """Write a span of time as definitions do, such as 1h30m."""
    units = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))
    rest, written = milliseconds, ""
    for unit, length in units:
        count, rest = divmod(rest, length)
        written += f"{count}{unit}" if count else ""
    return written + (f"{rest}ms" if rest else "") or "0s"
