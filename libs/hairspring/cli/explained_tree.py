"""An explanation as a tree for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from hairspring.cli import times
from hairspring.cli.output import printable
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.membership.v1 import membership_pb2 as pb
from hairspring.contracts.membership.v1 import membership_service_pb2 as service_pb
from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.wire.times import to_ms
from hairspring.wire.transitions import transition_json

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

_EVENTS_SHOWN = 5
_GROUPS_SHOWN = 5
_RECORDS_SHOWN = 5
_LONGEST_VALUES = 100


def as_tree(
    request: service_pb.ExplainMembershipRequest, answer: service_pb.ExplainMembershipResponse
) -> Tree:
    """Draw an explanation."""
    from rich.text import Text
    from rich.tree import Tree

    past = request.WhichOneof("moment") is not None
    title = Text()
    title.append(printable(answer.profile_id or request.profile_id), style="bold")
    title.append((" was" if past else " is") + (" in " if answer.member else " not in "))
    title.append(request.segment, style="cyan")
    if past:
        title.append(f" at {_local(answer.read_time)}")
    for said in _standing(answer):
        title.append(f"\n{said}", style="dim")
    tree = Tree(title, guide_style="dim")
    _grow(tree, answer.conditions)
    if answer.records:
        branch = tree.add(Text("what was recorded", style="dim"))
        for record in answer.records[-_RECORDS_SHOWN:]:
            branch.add(_record(record))
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
    return [*said, *(printable(note) for note in answer.notes)]


def _grow(tree: Tree, conditions: Sequence[pb.Explanation]) -> None:
    """Add conditions, the conditions within them, and their events."""
    from rich.text import Text

    for condition in conditions:
        label = Text()
        label.append("✔ " if condition.holds else "✘ ", "green" if condition.holds else "red")
        label.append(condition.condition or condition.path)
        if condition.detail:
            label.append(f"  {printable(condition.detail)}", style="cyan")
        if len(condition.groups) > 1:
            shown = ", ".join(condition.groups[:_GROUPS_SHOWN])
            more = len(condition.groups) - _GROUPS_SHOWN
            label.append(f"  for {printable(shown)}" + (f" and {more} more" if more > 0 else ""))
        if condition.HasField("until_time"):
            label.append(f"  until {_local(condition.until_time)}", style="dim")
        branch = tree.add(label)
        _grow(branch, condition.parts)
        hidden = len(condition.events) - _EVENTS_SHOWN
        if hidden > 0:
            branch.add(Text(f"… and {hidden} before", style="dim"))
        for event in condition.events[-_EVENTS_SHOWN:]:
            branch.add(_event(event))


def _event(event: event_pb2.EventReference) -> Text:
    from rich.text import Text

    shown = Text(_local(event.occur_time), style="dim")
    shown.append(f"  {printable(event.name) or 'no longer recorded'}", style="not dim")
    shown.append(f"  {printable(event.message_id)}", style="dim")
    values = printable(_values(event.properties_json))
    if values:
        shown.append(f"  {values}", style="not dim")
    return shown


def _values(properties: bytes) -> str:
    """Write properties in short: name=value, the later ones left out where they are many."""
    found: dict[str, Any] = orjson.loads(properties) if properties else {}
    text = " ".join(f"{name}={orjson.dumps(value).decode()}" for name, value in found.items())
    return text if len(text) <= _LONGEST_VALUES else text[: _LONGEST_VALUES - 1] + "…"


def _record(record: transition_pb2.Record) -> Text:
    from rich.text import Text

    kind = record.WhichOneof("body")
    if kind == "transition":
        line = transition_json(record)
        cause = line["cause"].get("event") or "time passed"
        shown = Text(_local(record.transition.effective_time), style="dim")
        shown.append(f"  {line['change']}", style="green" if line["change"] == "entered" else "red")
        return shown.append(f"  {printable(cause)}", style="not dim")
    rise = record.held if kind == "held" else record.dropped
    shown = Text(_local(rise.rise_time), style="dim")
    until = ""
    if kind == "held" and record.held.HasField("until_time"):
        until = f" until {_local(record.held.until_time)}"
    said = (
        f"a rise had to wait: {rise.reason}"
        if kind == "held"
        else f"a rise was used up: {rise.reason}"
    )
    return shown.append(f"  {said}{until}", style="yellow")


def _local(timestamp: Timestamp) -> str:
    return times.to_local(to_ms(timestamp))
