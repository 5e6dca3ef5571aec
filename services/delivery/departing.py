"""A profile that was deleted, and what went with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hairspring.services.delivery.waits import Wake


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Says that a profile was deleted, by the record at `position` of the evaluator's log.

    `at` is when delivery came to it, in ms since the epoch, UTC.
    """

    shard: int
    workspace: str
    profile: str
    deletion_id: str
    position: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """What went: the runs, as they would have been woken, and how many messages."""

    runs: Sequence[Wake]
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What is noted of a deletion: how much went by kind, and when (ms, UTC) it was done."""

    erased: dict[str, int]
    done_at: int
