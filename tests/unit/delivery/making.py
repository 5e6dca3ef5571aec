"""Runs and flows as the tests of delivery need them."""

from __future__ import annotations

from dataclasses import replace

from hairspring.services.delivery import flows
from hairspring.services.delivery.runs import Entry, Run
from hairspring.wire.flows import Flow, Send, Step, Wait

NOW = 1_700_000_000_000
HOUR = 3_600_000


def a_flow(*steps: Step, name: str = "recovery", cooldown_ms: int | None = None) -> Flow:
    """Make a flow on cart-abandoners; without steps, it waits an hour and sends."""
    given = steps or (Wait(for_ms=HOUR), Send(template="plain"))
    return Flow(name=name, entered="cart-abandoners", cooldown_ms=cooldown_ms, steps=given)


def an_entry(at: int = NOW, position: int = 7, profile: str = "ada") -> Entry:
    """Make an entry into cart-abandoners."""
    return Entry(
        shard=3,
        workspace="default",
        profile=profile,
        segment="cart-abandoners",
        position=position,
        plan_version=1,
        effective_at=at,
        entered_at=at,
        trace_id="trace",
    )


def a_run(flow: Flow | None = None, **changes: object) -> Run:
    """Make a run of a flow that has just started."""
    run = flows.start(flow or a_flow(), an_entry(), None)
    return replace(run, **changes)  # type: ignore[arg-type]
