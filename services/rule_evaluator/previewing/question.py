"""What the process of a preview is asked, and what it answers: JSON lines both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

Body = tuple[str, str, str]
"""A segment's name, canonical JSON and YAML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A preview to be made. Times are milliseconds since the epoch, UTC.

    `new` and `old` hold the segment and all that it refers to, as it would be and as it is in
    force; `old` is None where it is not. `position` is the place in the event log to read up to.
    `token` is shown to ingest.
    """

    ingest_address: str
    token: str = field(repr=False)
    workspace: str
    segment: str
    new: Sequence[Body]
    old: Sequence[Body] | None
    since: int
    at: int
    position: int
    horizon: int
    examples: int

    def to_line(self) -> bytes:
        """Write it as one line."""
        return orjson.dumps(asdict(self)) + b"\n"


def from_line(line: bytes) -> Question:
    """Read what `to_line` wrote."""
    fields: dict[str, Any] = orjson.loads(line)
    return Question(**fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a preview found; lists are of (profile, since when) and days of (day, entered, left)."""

    members: int
    examples: list[tuple[str, int]]
    days: list[tuple[int, int, int]]
    before: int | None
    gained: int
    gained_examples: list[tuple[str, int]]
    lost: int
    lost_examples: list[tuple[str, int]]
