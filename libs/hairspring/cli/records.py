"""A transition as one JSON line and as one row; the same from the log and from a simulation."""

from __future__ import annotations

from typing import Any

from hairspring.cli import times
from hairspring.cli.output import Column
from hairspring.contracts.transition.v1 import transition_pb2 as pb

CHANGES = {pb.CHANGE_ENTERED: "entered", pb.CHANGE_LEFT: "left"}
ORIGINS = {
    pb.ORIGIN_LIVE: "live",
    pb.ORIGIN_IMPORT: "import",
    pb.ORIGIN_DEFINITION: "definition",
    pb.ORIGIN_MERGE: "merge",
}

COLUMNS = (
    Column(title="time", style="dim"),
    Column(title="segment", style="cyan"),
    Column(title="profile", style="bold"),
    Column(title="change"),
    Column(title="cause"),
)


def transition_line(record: pb.Record) -> dict[str, Any]:
    """Write a record that holds a transition as the JSON line of it."""
    transition = record.transition
    return line(
        profile=record.profile_id,
        segment=transition.segment,
        change=CHANGES.get(transition.change, ""),
        effective_at=times.from_timestamp(transition.effective_time),
        cause=_cause(transition.cause),
        origin=ORIGINS.get(transition.origin, ""),
    )


def line(
    *,
    profile: str,
    segment: str,
    change: str,
    effective_at: int,
    cause: dict[str, Any],
    origin: str = "live",
) -> dict[str, Any]:
    """Write one transition; `effective_at` in milliseconds since the epoch."""
    written: dict[str, Any] = {
        "profile": profile,
        "segment": segment,
        "change": change,
        "effective_at": times.to_iso(effective_at),
        "cause": cause,
    }
    if origin != "live":
        written["origin"] = origin
    return written


def event_cause(*, name: str, message_id: str, time: int, late: bool = False) -> dict[str, Any]:
    """Write the cause of a transition that an event brought about."""
    cause: dict[str, Any] = {"event": name, "message_id": message_id, "time": times.to_iso(time)}
    return {**cause, "late": True} if late else cause


def time_cause(*, time: int, late: bool = False) -> dict[str, Any]:
    """Write the cause of a transition that the passing of time brought about."""
    cause: dict[str, Any] = {"time": times.to_iso(time)}
    return {**cause, "late": True} if late else cause


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


def _cause(cause: pb.Cause) -> dict[str, Any]:
    if cause.WhichOneof("kind") == "event":
        event = cause.event
        return event_cause(
            name=event.name,
            message_id=event.message_id,
            time=times.from_timestamp(event.occur_time),
            late=cause.late,
        )
    return time_cause(time=times.from_timestamp(cause.time), late=cause.late)
