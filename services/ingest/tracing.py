"""Ties a caller's trace to the events that it sent: one log line a call that was sampled."""

from collections.abc import Sequence
from typing import Any

from hairspring.runtime.logging import get_logger
from hairspring.services.ingest.recording import Result
from hairspring.wire.traces import trace_of_event, trace_of_parent

MOST_EVENTS = 100
"""Of how many events of a call is told."""


def note_call(context: Any, workspace: str, results: Sequence[Result]) -> None:
    """Log a call with a sampled W3C `traceparent`: which events it brought, under which traces.

    Any other call costs a look at its metadata.
    """
    note_trace(_traceparent(context), workspace, results)


def note_trace(traceparent: str, workspace: str, results: Sequence[Result]) -> None:
    """Log which events came with a `traceparent`, if that was sampled."""
    trace = trace_of_parent(traceparent) if traceparent else ""
    if not trace:
        return
    get_logger().info(
        "events_recorded",
        workspace=workspace,
        caller_trace_id=trace,
        count=len(results),
        events=[
            {
                "message_id": result.message_id,
                "trace_id": trace_of_event(workspace, result.message_id),
                "status": result.status.value,
                "position": result.position,
            }
            for result in results[:MOST_EVENTS]
        ],
    )


def _traceparent(context: Any) -> str:
    for name, value in context.invocation_metadata() or () if context is not None else ():
        if name == "traceparent":
            return value if isinstance(value, str) else ""
    return ""
