"""Waiting while new and changed segments are filled from the recorded history."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc.aio
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from hairspring.cli import calls
from hairspring.cli.output import say
from hairspring.contracts.membership.v1 import membership_service_pb2 as membership_pb
from hairspring.contracts.membership.v1.membership_service_pb2_grpc import MembershipServiceStub

LOOK_SECONDS = 0.3
ACTIVE, FILLING = membership_pb.SEGMENT_STATUS_ACTIVE, membership_pb.SEGMENT_STATUS_FILLING


async def segment_sizes(channel: grpc.aio.Channel) -> dict[str, membership_pb.SegmentCount]:
    """Ask for the number of members of each segment, and how far it is filled."""
    answer = await MembershipServiceStub(channel).CountMembers(
        membership_pb.CountMembersRequest(), timeout=calls.DEADLINE_SECONDS
    )
    return {count.segment: count for count in answer.counts}


def status_of(count: membership_pb.SegmentCount) -> str:
    """Write whether a segment is active, or how far it is filled."""
    return f"filling {count.filled_percent} %" if count.status == FILLING else "active"


async def wait_until_active(channel: grpc.aio.Channel, names: Sequence[str]) -> None:
    """Wait until segments are filled and in force, with a bar at a terminal."""
    terminal = Console(stderr=True)
    columns = (TextColumn("Filling from history"), BarColumn(), TaskProgressColumn())
    with Progress(
        *columns, console=terminal, transient=True, disable=not terminal.is_terminal
    ) as bar:
        task = bar.add_task("filling", total=100)
        while True:
            sizes = await segment_sizes(channel)
            waiting = [sizes[name] for name in names if name in sizes]
            waiting = [count for count in waiting if count.status == FILLING]
            if not waiting:
                return
            bar.update(task, completed=min(count.filled_percent for count in waiting))
            await asyncio.sleep(LOOK_SECONDS)


def tell_filling(names: Sequence[str]) -> None:
    """Say that segments are being filled, and where to look."""
    what = ", ".join(names)
    are = "is" if len(names) == 1 else "are"
    say(
        f"{what} {are} being filled from the recorded history; "
        "`hairspring get segments` tells how far."
    )
