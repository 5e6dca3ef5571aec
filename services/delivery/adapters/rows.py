"""Runs and messages as rows, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hairspring.services.delivery.messages import Message, MessageStatus
from hairspring.services.delivery.runs import Run, RunStatus

RUN_COLUMNS = {
    "shard": "int",
    "workspace": "text",
    "profile": "text",
    "run_id": "text",
    "flow": "text",
    "segment": "text",
    "plan_version": "bigint",
    "entry_position": "bigint",
    "entered_at": "bigint",
    "started_at": "bigint",
    "status": "smallint",
    "step": "int",
    "reason": "text",
    "ended_at": "bigint",
    "due_at": "bigint",
    "wake_at": "bigint",
    "trace_id": "text",
    "record": "bytea",
}
"""The columns of runs and their types; the fields of Run have the same names."""

MESSAGE_COLUMNS = {
    "shard": "int",
    "workspace": "text",
    "profile": "text",
    "run_id": "text",
    "step": "int",
    "message_id": "text",
    "flow": "text",
    "template": "text",
    "channel": "text",
    "recipient": "text",
    "subject": "text",
    "status": "smallint",
    "reason": "text",
    "due_at": "bigint",
    "sent_at": "bigint",
    "attempts": "int",
}
"""The columns of messages and their types; the fields of Message have the same names."""


def run_of(row: Any) -> Run:
    """Read a run from its row."""
    fields = {column: row[column] for column in RUN_COLUMNS}
    return Run(**{**fields, "status": RunStatus(row["status"])})


def message_of(row: Any) -> Message:
    """Read a message from its row."""
    fields = {column: row[column] for column in MESSAGE_COLUMNS}
    return Message(**{**fields, "status": MessageStatus(row["status"])})


def arrays(values: Sequence[Run] | Sequence[Message], columns: Mapping[str, str]) -> list[Any]:
    """Turn values into one array for each column, as `unnest` takes them."""
    return [[_plain(getattr(value, column)) for value in values] for column in columns]


def unnested(columns: Mapping[str, str], first: int = 1) -> str:
    """Write `unnest($1::int[], ...)` over these columns."""
    parts = (f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), first))
    return f"unnest({', '.join(parts)})"


def _plain(value: Any) -> Any:
    """Give asyncpg what it knows: a surrogate or a zero byte in text would fail the whole batch."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return value
