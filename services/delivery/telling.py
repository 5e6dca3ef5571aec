"""The log lines of delivery, in the past tense, with the fields that tie them together."""

from __future__ import annotations

from collections.abc import Iterable

from hairspring.runtime.logging import get_logger
from hairspring.services.delivery.messages import Message, MessageStatus
from hairspring.services.delivery.metrics import MESSAGE_LATENESS, MESSAGES, RUNS
from hairspring.services.delivery.runs import Run, RunStatus

log = get_logger()

_MESSAGES = {
    MessageStatus.PENDING: "message_retried",
    MessageStatus.SENT: "message_sent",
    MessageStatus.SKIPPED: "message_skipped",
    MessageStatus.FAILED: "message_failed",
    MessageStatus.UNKNOWN: "message_unknown",
}


def tell_runs(runs: Iterable[Run], started: Iterable[str] = ()) -> None:
    """Log what became of runs; `started` are the ids of those that are new."""
    new = set(started)
    for run in runs:
        if run.status is RunStatus.NOT_STARTED:
            _tell_run("run_not_started", run, reason=run.reason)
            continue
        if run.run_id in new:
            _tell_run("run_started", run, due_at=run.due_at)
        if run.status is RunStatus.ENDED:
            _tell_run("run_ended", run, reason=run.reason)


def tell_messages(messages: Iterable[Message], runs: Iterable[Run] = ()) -> None:
    """Log what became of messages; `runs` are where their traces come from."""
    traces = {run.run_id: run.trace_id for run in runs}
    for message in messages:
        if message.status not in _MESSAGES:
            continue
        MESSAGES.labels(message.status.name.lower()).inc()
        if message.status is MessageStatus.SENT and message.sent_at is not None:
            MESSAGE_LATENESS.observe(max(message.sent_at - message.due_at, 0) / 1000)
        log.info(
            _MESSAGES[message.status],
            workspace=message.workspace,
            profile=message.profile,
            flow=message.flow,
            template=message.template,
            message=message.message_id,
            run_id=message.run_id,
            attempts=message.attempts,
            reason=message.reason,
            trace_id=traces.get(message.run_id, ""),
        )


def _tell_run(event: str, run: Run, **fields: object) -> None:
    RUNS.labels(event.removeprefix("run_")).inc()
    log.info(
        event,
        workspace=run.workspace,
        profile=run.profile,
        flow=run.flow,
        segment=run.segment,
        run_id=run.run_id,
        trace_id=run.trace_id,
        **fields,
    )
