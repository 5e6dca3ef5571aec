"""Splits calls over shards: pure, and the same for every adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from hairspring.timers.port import LONGEST_LEASE_MS

BATCH = 500
"""How many members one server-side call carries: scripts stay short, Lua can unpack them."""

Item = TypeVar("Item")
Row = TypeVar("Row")


def by_shard(
    items: Iterable[Item], shard: Callable[[Item], int], row: Callable[[Item], Row]
) -> dict[int, list[Row]]:
    """Group rows by shard, in the order given."""
    groups: dict[int, list[Row]] = {}
    for item in items:
        key = shard(item)
        group = groups.get(key)
        if group is None:
            groups[key] = [row(item)]
        else:
            group.append(row(item))
    return groups


def chunks(rows: Sequence[Row], size: int = BATCH) -> Iterator[Sequence[Row]]:
    """Cut rows into pieces of at most `size`."""
    if len(rows) <= size:
        yield rows
        return
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def together(weights: Sequence[int], most: int = BATCH) -> Iterator[slice]:
    """Gather neighbours, as slices, until they weigh `most`; a heavier one is alone."""
    start = weight = 0
    for index, more in enumerate(weights):
        if index > start and weight + more > most:
            yield slice(start, index)
            start, weight = index, 0
        weight += more
    if start < len(weights):
        yield slice(start, len(weights))


def shares(limit: int, count: int) -> list[int]:
    """Share a limit out evenly over `count` shards, the first ones getting the remainder.

    No share is above BATCH.
    """
    if count == 0:
        return []
    even, rest = divmod(max(limit, 0), count)
    return [min(even + (index < rest), BATCH) for index in range(count)]


def check_lease(lease_ms: int) -> None:
    """Raise ValueError for a lease that no queue gives."""
    if not 0 < lease_ms <= LONGEST_LEASE_MS:
        raise ValueError(f"a lease lasts 1 to {LONGEST_LEASE_MS} ms, not {lease_ms}")


def check_members(members: Iterable[tuple[int, str]]) -> None:
    """Raise ValueError for an empty member among (shard, member) pairs: no timer has one."""
    if not all(member for _, member in members):
        raise ValueError("a timer needs a member")
