"""`hairspring explain`: why a profile is in a segment, or is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from hairspring.cli import calls, times
from hairspring.cli.addresses import address_option
from hairspring.cli.output import console, format_option, printable, write_line
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.membership.v1 import membership_pb2 as pb
from hairspring.contracts.membership.v1 import membership_service_pb2 as service_pb
from hairspring.contracts.membership.v1.membership_service_pb2_grpc import MembershipServiceStub
from hairspring.wire.times import iso, to_ms

if TYPE_CHECKING:
    from rich.tree import Tree

_EVENTS_SHOWN = 5


@click.command()
@click.argument("segment")
@click.argument("profile")
@format_option
@address_option
def explain(segment: str, profile: str, output_format: str, address: str | None) -> None:
    """Tell why a profile is in a segment, or is not."""
    calls.run(_explain(segment, profile, output_format, address))


async def _explain(segment: str, profile: str, output_format: str, address: str | None) -> None:
    async with calls.open_service("evaluator", address) as channel:
        answer = await MembershipServiceStub(channel).ExplainMembership(
            service_pb.ExplainMembershipRequest(segment=segment, profile_id=profile),
            timeout=calls.DEADLINE_SECONDS,
        )
    if output_format == "jsonl":
        write_line(as_line(segment, profile, answer))
    else:
        console().print(as_tree(segment, profile, answer))


def as_line(
    segment: str, profile: str, answer: service_pb.ExplainMembershipResponse
) -> dict[str, Any]:
    """Write an explanation as a JSON line."""
    line: dict[str, Any] = {"profile": profile, "segment": segment, "member": answer.member}
    for name, written in (
        ("enter_time", "entered_at"),
        ("leave_time", "left_at"),
        ("until_time", "until"),
    ):
        if answer.HasField(name):  # type: ignore[arg-type]
            line[written] = _iso(getattr(answer, name))
    if answer.remark:
        line["remark"] = answer.remark
    line["conditions"] = [_condition(condition) for condition in answer.conditions]
    return line


def as_tree(segment: str, profile: str, answer: service_pb.ExplainMembershipResponse) -> Tree:
    """Draw an explanation for people."""
    from rich.text import Text
    from rich.tree import Tree

    title = Text()
    title.append(printable(profile), style="bold")
    title.append(" is in " if answer.member else " is not in ")
    title.append(segment, style="cyan")
    for said in _standing(answer):
        title.append(f"\n{said}", style="dim")
    tree = Tree(title, guide_style="dim")
    _grow(tree, answer.conditions)
    return tree


def _standing(answer: service_pb.ExplainMembershipResponse) -> list[str]:
    said = []
    if answer.HasField("enter_time"):
        said.append(f"since {_local(answer.enter_time)}")
    if answer.HasField("leave_time"):
        said.append(f"left {_local(answer.leave_time)}")
    if answer.HasField("until_time"):
        said.append(f"may change by itself at {_local(answer.until_time)}")
    if answer.remark:
        said.append(answer.remark)
    return said


def _grow(tree: Tree, conditions: Sequence[pb.Explanation]) -> None:
    """Add conditions, the conditions within them, and their events."""
    from rich.text import Text

    for condition in conditions:
        label = Text()
        label.append("✔ " if condition.holds else "✘ ", "green" if condition.holds else "red")
        label.append(condition.condition or condition.path)
        if condition.detail:
            label.append(f"  {condition.detail}", style="cyan")
        if condition.HasField("until_time"):
            label.append(f"  until {_local(condition.until_time)}", style="dim")
        branch = tree.add(label)
        _grow(branch, condition.parts)
        hidden = len(condition.events) - _EVENTS_SHOWN
        if hidden > 0:
            branch.add(Text(f"… and {hidden} before", style="dim"))
        for event in condition.events[-_EVENTS_SHOWN:]:
            shown = Text(_local(event.occur_time), style="dim")
            branch.add(shown.append(f"  {printable(event.name)}", style="not dim"))


def _condition(condition: pb.Explanation) -> dict[str, Any]:
    line: dict[str, Any] = {
        "path": condition.path,
        "condition": condition.condition,
        "holds": condition.holds,
    }
    if condition.HasField("until_time"):
        line["until"] = _iso(condition.until_time)
    if condition.detail:
        line["detail"] = condition.detail
    if condition.events:
        line["events"] = [_event(event) for event in condition.events]
    if condition.parts:
        line["parts"] = [_condition(part) for part in condition.parts]
    return line


def _event(event: event_pb2.EventReference) -> dict[str, Any]:
    return {
        "event": event.name,
        "message_id": event.message_id,
        "time": _iso(event.occur_time),
        "position": event.position,
    }


def _iso(timestamp: Timestamp) -> str:
    return iso(to_ms(timestamp))


def _local(timestamp: Timestamp) -> str:
    return times.to_local(to_ms(timestamp))
