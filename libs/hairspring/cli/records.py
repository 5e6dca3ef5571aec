"""A transition's JSON line as a row for people."""

from __future__ import annotations

from typing import Any

from hairspring.cli import times
from hairspring.cli.sheet import Column
from hairspring.contracts.transition.v1 import transition_pb2

COLUMNS = (
    Column(title="time", style="dim"),
    Column(title="segment", style="cyan"),
    Column(title="profile", style="bold"),
    Column(title="change"),
    Column(title="cause", detail=True),
)

WHY = Column(title="why", detail=True)
"""The reasons that were stored with it."""


def cells(written: dict[str, Any]) -> list[str]:
    """Turn a transition's JSON line into the cells of `COLUMNS`."""
    effective = times.parse(written["effective_at"])
    assert effective is not None  # we wrote it
    return [
        times.to_local(effective.at),
        written["segment"],
        written["profile"],
        written["change"],
        reason(written),
    ]


def reason(written: dict[str, Any]) -> str:
    """Say in a few words what brought a transition about."""
    cause = written["cause"]
    words = [cause.get("event") or "time passed"]
    if cause.get("late"):
        words.append("late")
    if "origin" in written:
        words.append(f"by {written['origin']}")
    return ", ".join(words)


def why(record: transition_pb2.Record) -> str:
    """Say what was stored as the reasons of a transition, and where it is recorded."""
    said = [
        f"{'✔' if found.holds else '✘'} {found.path}: {found.detail}"
        + (f" ({len(found.events)} events)" if len(found.events) != 1 else " (1 event)")
        for found in record.transition.evidence
    ]
    return "; ".join([*said, f"at position {record.position}"])
