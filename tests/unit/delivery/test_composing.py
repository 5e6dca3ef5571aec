"""Whether a message that is due is sent."""

from __future__ import annotations

from typing import Any

from hairspring.services.delivery.composing import Facts, NotSent, compose
from hairspring.services.delivery.messages import IN_QUARANTINE, MessageStatus, message_of
from hairspring.services.delivery.questions import Answer
from hairspring.services.delivery.taking_up import Due
from hairspring.wire.flows import Send

from tests.unit.delivery.making import NOW, a_flow, a_run


def test_nothing_is_sent_on_an_incomplete_answer() -> None:
    """Where something of a profile is in quarantine, she may have bought: nothing goes out."""
    send = Send(template="plain")
    flow = a_flow(send)
    run = a_run(flow)
    due = Due(run=run, flow=flow, message=message_of(run, send))
    answer = Answer(member=True, incomplete=True, traits={"email": "ada@example.com"})
    unused: Any = None

    found = compose(due, answer, unused, Facts(), unused, NOW)

    assert isinstance(found, NotSent)
    assert (found.message.status, found.message.reason) == (MessageStatus.SKIPPED, IN_QUARANTINE)
