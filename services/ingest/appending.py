"""Appends a batch so that one entry the database refuses harms no other."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg
from hairspring.log.port import Appended, Entry
from hairspring.runtime.logging import get_logger

REFUSALS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""What the database says of data that it cannot hold, however often it is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstorable:
    """An entry that the database refuses, and why."""

    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Swallowed:
    """An entry of before its profile was deleted (ms, UTC), which is kept nowhere."""

    deleted_at: int


Outcome = Appended | Unstorable | Swallowed

Append = Callable[[Sequence[Entry]], Awaitable[Sequence[Outcome]]]


async def append_splitting(append: Append, entries: Sequence[Entry]) -> list[Outcome]:
    """Append the entries, all at once if the database takes them, else in ever smaller parts."""
    if not entries:
        return []
    try:
        return list(await append(entries))
    except REFUSALS as error:
        if len(entries) == 1:
            get_logger().error("entry_refused_by_database", error=repr(error)[:500])
            return [Unstorable(problem="the database cannot hold this event")]
        half = len(entries) // 2
        first = await append_splitting(append, entries[:half])
        return first + await append_splitting(append, entries[half:])
