"""Pure: what a run that is looked at stands at, and whether a message is to be sent now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hairspring.services.delivery import flows
from hairspring.services.delivery.messages import (
    STOPPED,
    Message,
    MessageStatus,
    message_of,
)
from hairspring.services.delivery.runs import FLOW_MISSING, Run
from hairspring.wire.flows import Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A message that is to be sent now, if its profile is still in the segment."""

    run: Run
    flow: Flow
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What came of looking at a run: how it stands now, what changed, and what is due."""

    run: Run
    messages: tuple[Message, ...] = field(default=())
    due: Due | None = None


def look(run: Run, flow: Flow | None, messages: Mapping[int, Message], now: int) -> Look:
    """Look at a run: pass its waits that are over, and find the message that is due.

    `messages` are those of the run, by step. One that is settled is passed. One that was being
    handed over when delivery stopped is never sent again: nobody knows whether it was taken.
    """
    if not run.active:
        return Look(run=run)
    if flow is None:
        return Look(run=run.ended(FLOW_MISSING, now))
    changed: list[Message] = []
    while True:
        run = flows.pass_waits(run, flow, now)
        send = flows.due_send(run, flow, now)
        if send is None:
            return Look(run=run, messages=tuple(changed))
        message = messages.get(run.step)
        if message is None or message.status is MessageStatus.PENDING:
            taken_up = message or message_of(run, send)
            if message is None:
                changed.append(taken_up)
            return Look(
                run=run,
                messages=tuple(changed),
                due=Due(run=run, flow=flow, message=taken_up),
            )
        if message.status is MessageStatus.SENDING:
            changed.append(message.unknown(STOPPED))
        run = flows.after_send(run, flow, now if message.sent_at is None else message.sent_at)
