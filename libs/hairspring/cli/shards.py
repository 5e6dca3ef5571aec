"""`hairspring shards`: which replica works on which shards, and how far they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from hairspring.cli import calls, times
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.shard.v1 import shard_pb2 as pb
from hairspring.contracts.shard.v1 import shard_service_pb2 as service_pb
from hairspring.contracts.shard.v1.shard_service_pb2_grpc import ShardServiceStub
from hairspring.wire.times import iso, to_ms

_COLUMNS = (
    Column(title="replica", style="bold"),
    Column(title="address", style="dim"),
    Column(title="shards", right=True),
    Column(title="epochs", right=True),
    Column(title="position", right=True),
    Column(title="lag", right=True),
    Column(title="next due", style="dim"),
)
NOBODY = "(nobody)"


@click.command()
@format_option
@address_option
def shards(output_format: str, address: str | None) -> None:
    """Tell which evaluator works on which shards, and how far each is behind.

    A table has a line for each replica; JSON lines have one for each shard.
    """
    calls.run(_print(output_format, address))


async def _print(output_format: str, address: str | None) -> None:
    async with calls.open_service("evaluator", address, for_deployment=True) as channel:
        response = await ShardServiceStub(channel).ListShards(
            service_pb.ListShardsRequest(), timeout=calls.DEADLINE_SECONDS
        )
    head = response.head_position if response.HasField("head_position") else None
    with Sheet(output_format, _COLUMNS, empty="There are no shards yet.") as sheet:
        if output_format != "table":
            for shard in response.shards:
                sheet.add(line(shard, head), ())
            return
        for owned in by_replica(response.shards):
            sheet.add(None, cells(owned, head))


def line(shard: pb.Shard, head: int | None) -> dict[str, Any]:
    """Write a shard as a JSON line; what is not known is left out. Lags are in positions."""
    found: dict[str, Any] = {
        "shard": shard.shard,
        "replica": shard.replica_id,
        "address": shard.address,
        "epoch": shard.epoch,
        "position": shard.position,
        "plan_version": shard.plan_version,
    }
    if head is not None:
        found["lag"] = lag(shard, head)
    if shard.HasField("due_time"):
        found["due_at"] = iso(to_ms(shard.due_time))
    return found


def by_replica(all_shards: Iterable[pb.Shard]) -> list[list[pb.Shard]]:
    """Gather the shards of each replica, in the order of their first shards."""
    found: dict[str, list[pb.Shard]] = {}
    for shard in all_shards:
        found.setdefault(shard.replica_id, []).append(shard)
    return list(found.values())


def cells(owned: Sequence[pb.Shard], head: int | None) -> list[str]:
    """Sum up the shards of one replica: the position furthest behind, and the first due time."""
    due = [to_ms(shard.due_time) for shard in owned if shard.HasField("due_time")]
    epochs = [shard.epoch for shard in owned]
    return [
        owned[0].replica_id or NOBODY,
        owned[0].address,
        str(len(owned)),
        _span(min(epochs), max(epochs)),
        f"{min(shard.position for shard in owned):,}",
        "?" if head is None else f"{max(lag(shard, head) for shard in owned):,}",
        times.to_local(min(due)) if due else "",
    ]


def lag(shard: pb.Shard, head: int) -> int:
    """Tell how many positions of the event log lie beyond what a shard has committed."""
    return max(head - shard.position, 0)


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least}-{most}"
