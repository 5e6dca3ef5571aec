"""A preview as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hairspring.cli import times
from hairspring.cli.apply import counted
from hairspring.cli.output import printable
from hairspring.contracts.membership.v1 import membership_pb2
from hairspring.contracts.preview.v1 import preview_pb2 as pb
from hairspring.wire.times import iso, to_ms

if TYPE_CHECKING:
    from rich.text import Text

_BARS = " ▁▂▃▄▅▆▇█"
_TITLE = 9


def as_lines(found: pb.Preview) -> Iterator[dict[str, Any]]:
    """Write a line for each day, and one that sums up."""
    for day in found.days:
        yield {
            "segment": found.segment,
            "day": day.day,
            "entered": day.entered,
            "left": day.left,
        }
    line: dict[str, Any] = {
        "segment": found.segment,
        "at": iso(to_ms(found.read_time)),
        "members": found.members,
        "examples": _members(found.examples),
        "profiles": found.profiles,
        "events": found.events,
    }
    if found.HasField("difference"):
        difference = found.difference
        line["difference"] = {
            "members": difference.members,
            "gained": difference.gained,
            "lost": difference.lost,
            "gained_examples": _members(difference.gained_examples),
            "lost_examples": _members(difference.lost_examples),
        }
    yield line


def as_text(found: pb.Preview, width: int) -> Text:
    """Write it for a terminal of so many cells."""
    from rich.text import Text

    text = Text()
    text.append(found.segment, style="cyan")
    text.append(f" would have {counted(found.members, 'member')}")
    if found.HasField("difference"):
        text.append(f"; as it is in force, {found.difference.members}")
    text.append(
        f"\nby {counted(found.events, 'event')} of {counted(found.profiles, 'profile')}"
        f" up to {times.to_local(to_ms(found.read_time))}\n",
        style="dim",
    )
    _add_days(text, found.days, width)
    _add_members(text, "who", found.members, found.examples, "")
    if found.HasField("difference"):
        difference = found.difference
        _add_members(text, "gained", difference.gained, difference.gained_examples, "green")
        _add_members(text, "lost", difference.lost, difference.lost_examples, "red")
    text.rstrip()
    return text


def sparkline(counts: Sequence[int], width: int) -> str:
    """Draw counts as bars, in at most `width` cells; several become one where they are many."""
    share = -(-len(counts) // max(width, 1)) or 1
    summed = [sum(counts[start : start + share]) for start in range(0, len(counts), share)]
    most = max(summed, default=0)
    if not most:
        return "▁" * len(summed)
    return "".join(
        _BARS[-(-count * (len(_BARS) - 1) // most)] if count else " " for count in summed
    )


def _add_days(text: Text, days: Sequence[pb.PreviewDay], width: int) -> None:
    if not days:
        return
    text.append(f"\nfrom {days[0].day} to {days[-1].day}, by day in UTC\n", style="dim")
    for name, counts, style in (
        ("entered", [day.entered for day in days], "green"),
        ("left", [day.left for day in days], "yellow"),
    ):
        said = f" {sum(counts)}, most on a day {max(counts)}"
        text.append(f"{name:<{_TITLE}}")
        text.append(sparkline(counts, width - _TITLE - len(said)), style=style)
        text.append(f"{said}\n")


def _add_members(
    text: Text,
    title: str,
    count: int,
    members: Sequence[membership_pb2.Membership],
    style: str,
) -> None:
    said = f"{count}" if title != "who" else ""
    text.append(f"\n{title} {said}".rstrip() + ("\n" if members else " nobody\n"), style="bold")
    for member in members:
        text.append(f"  {times.to_local(to_ms(member.enter_time))}", style="dim")
        text.append(f"  {printable(member.profile_id)}\n", style=style)
    if count > len(members):
        text.append(f"  … and {count - len(members)} more\n", style="dim")


def _members(members: Sequence[membership_pb2.Membership]) -> list[dict[str, str]]:
    return [
        {"profile": member.profile_id, "entered_at": iso(to_ms(member.enter_time))}
        for member in members
    ]
