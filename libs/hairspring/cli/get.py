"""`hairspring get`: the definitions in force, segments with their sizes."""

from __future__ import annotations

from typing import Any

import click
import grpc.aio
import orjson

from hairspring.cli import calls, times
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.definition.v1 import definition_pb2 as pb
from hairspring.contracts.definition.v1 import definition_service_pb2 as service_pb
from hairspring.contracts.definition.v1.definition_service_pb2_grpc import DefinitionServiceStub
from hairspring.contracts.membership.v1 import membership_service_pb2 as membership_pb
from hairspring.contracts.membership.v1.membership_service_pb2_grpc import MembershipServiceStub
from hairspring.wire.times import iso, to_ms

_KINDS = {
    "segments": pb.DEFINITION_KIND_SEGMENT,
    "flows": pb.DEFINITION_KIND_FLOW,
    "templates": pb.DEFINITION_KIND_TEMPLATE,
}
_NAME = Column(title="name", style="bold")
_APPLIED = (Column(title="version", right=True), Column(title="applied", style="dim"))
_COLUMNS = {
    "segments": (
        _NAME,
        Column(title="members", right=True, style="cyan"),
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
@click.argument("what", type=click.Choice(list(_KINDS)))
@format_option
@address_option
def get(what: str, output_format: str, address: str | None) -> None:
    """List the segments, flows or templates in force."""
    calls.run(_print(what, output_format, address))


async def _print(what: str, output_format: str, address: str | None) -> None:
    async with calls.open_service("evaluator", address) as channel:
        answer = await DefinitionServiceStub(channel).ListDefinitions(
            service_pb.ListDefinitionsRequest(kind=_KINDS[what]), timeout=calls.DEADLINE_SECONDS
        )
        sizes = await segment_sizes(channel) if what == "segments" else {}
    with Sheet(output_format, _COLUMNS[what], empty=f"No {what} in force.") as sheet:
        for definition in answer.definitions:
            body = orjson.loads(definition.body_json or b"{}")
            size = sizes.get(definition.name, 0) if what == "segments" else None
            sheet.add(_line(definition, body, size), _cells(what, definition, body, size))


async def segment_sizes(channel: grpc.aio.Channel) -> dict[str, int]:
    """Ask for the number of members of each segment."""
    answer = await MembershipServiceStub(channel).CountMembers(
        membership_pb.CountMembersRequest(), timeout=calls.DEADLINE_SECONDS
    )
    return {count.segment: count.members for count in answer.counts}


def _line(definition: pb.Definition, body: dict[str, Any], size: int | None) -> dict[str, Any]:
    line: dict[str, Any] = {"name": definition.name, "version": definition.version}
    if size is not None:
        line["members"] = size
    applied = iso(to_ms(definition.apply_time))
    return {**line, "applied_at": applied, "definition": body}


def _cells(
    what: str, definition: pb.Definition, body: dict[str, Any], size: int | None
) -> list[str]:
    applied = times.to_local(to_ms(definition.apply_time))
    known = [str(definition.version), applied]
    match what:
        case "segments":
            return [definition.name, str(size), *known, body.get("description") or ""]
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
