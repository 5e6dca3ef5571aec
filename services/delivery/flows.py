"""What a run does next: pure decisions over a run, its flow and a time.

A step is due at an exact moment, chained from the entry: `due = due of the step before + wait`.
Only after a message that went out late does the next wait count from when it went out, so that two
messages never follow each other at once because a mail server was down.
"""

from __future__ import annotations

from dataclasses import replace

from hairspring.services.delivery.runs import (
    COMPLETED,
    COOLDOWN,
    SEGMENT_LEFT,
    Entry,
    Run,
    RunStatus,
    run_id_of,
)
from hairspring.wire.flows import Flow, Send, Wait

LATE_MS = 60_000
"""A message that went out this much after it was due moves what follows."""


def start(flow: Flow, entry: Entry, last_started_at: int | None) -> Run:
    """Begin a run of this flow, or say why it does not begin.

    `last_started_at` is the latest start of the flow by this profile, ms UTC. The cooldown is
    measured between the effective times of the two entries, so replaying the log decides the same.
    """
    run = Run(
        run_id=run_id_of(entry.workspace, entry.profile, flow.name, entry.position),
        shard=entry.shard,
        workspace=entry.workspace,
        profile=entry.profile,
        flow=flow.name,
        segment=entry.segment,
        plan_version=entry.plan_version,
        entry_position=entry.position,
        entered_at=entry.entered_at,
        started_at=entry.effective_at,
        status=RunStatus.NOT_STARTED,
        reason=COOLDOWN,
        trace_id=entry.trace_id,
        record=entry.record,
    )
    return run if _too_soon(flow, entry, last_started_at) else _begun(run, flow)


def _too_soon(flow: Flow, entry: Entry, last_started_at: int | None) -> bool:
    if flow.cooldown_ms is None or last_started_at is None:
        return False
    return entry.effective_at - last_started_at < flow.cooldown_ms


def _begun(run: Run, flow: Flow) -> Run:
    active = replace(run, status=RunStatus.ACTIVE, reason="")
    return arrive(active, flow, 0, run.started_at)


def arrive(run: Run, flow: Flow, step: int, at: int) -> Run:
    """Answer the run as it reaches this step at `at`; after the last one it is completed."""
    if step >= len(flow.steps):
        return run.ended(COMPLETED, at)
    match flow.steps[step]:
        case Wait(for_ms=for_ms):
            return run.standing_at(step, at + for_ms)
        case Send():
            return run.standing_at(step, at)


def pass_waits(run: Run, flow: Flow, now: int) -> Run:
    """Answer the run after every wait that is over at `now`; it stops at a send or at its end."""
    while (
        run.active
        and run.due_at is not None
        and run.due_at <= now
        and isinstance(flow.steps[run.step], Wait)
    ):
        run = arrive(run, flow, run.step + 1, run.due_at)
    return run


def due_send(run: Run, flow: Flow, now: int) -> Send | None:
    """Answer the send that the run stands at, if it is to be tried at `now`."""
    if not run.active or run.wake_at is None or run.wake_at > now:
        return None
    step = flow.steps[run.step]
    return step if isinstance(step, Send) else None


def after_send(run: Run, flow: Flow, done_at: int) -> Run:
    """Answer the run once its send is settled, at `done_at`, however it ended."""
    due = run.due_at if run.due_at is not None else done_at
    reached = done_at if done_at - due > LATE_MS else due
    return arrive(run, flow, run.step + 1, reached)


def leave(run: Run, at: int) -> Run:
    """Answer the run once the segment that set it off has been left at `at`."""
    return run.ended(SEGMENT_LEFT, at)
