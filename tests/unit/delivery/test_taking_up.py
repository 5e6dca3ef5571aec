from dataclasses import replace

import pytest
from hairspring.services.delivery.messages import MessageStatus, message_of
from hairspring.services.delivery.runs import RunStatus
from hairspring.services.delivery.taking_up import look
from hairspring.wire.flows import Send, Wait

from tests.unit.delivery.making import HOUR, NOW, a_flow, a_run

SEND = Send(template="plain")
FLOW = a_flow(SEND, Wait(for_ms=HOUR), SEND)


def test_a_send_that_is_reached_gets_its_one_message():
    """The message is made when its step is reached, and found again after."""
    run = a_run(FLOW)

    first = look(run, FLOW, {}, NOW)
    again = look(run, FLOW, {0: first.messages[0]}, NOW)

    assert f"{run.run_id}-0" == first.due.message.message_id
    assert (first.due.message,) == first.messages
    assert again.due.message == first.due.message
    assert again.messages == ()


@pytest.mark.parametrize(
    "status",
    [
        MessageStatus.SENT,
        MessageStatus.SKIPPED,
        MessageStatus.FAILED,
        MessageStatus.UNKNOWN,
    ],
)
def test_a_settled_message_is_passed(status):
    """A step whose message is settled is never done again."""
    run = a_run(FLOW)
    settled = replace(message_of(run, SEND), status=status)

    looked = look(run, FLOW, {0: settled}, NOW)

    assert looked.due is None
    assert (looked.run.step, looked.run.due_at) == (1, NOW + HOUR)


def test_a_message_that_was_being_handed_over_becomes_unknown():
    """Nobody knows whether it was taken, so it is not sent again, and the run goes on."""
    run = a_run(FLOW)
    sending = replace(message_of(run, SEND), status=MessageStatus.SENDING, attempts=1)

    looked = look(run, FLOW, {0: sending}, NOW)

    assert looked.due is None
    assert [message.status for message in looked.messages] == [MessageStatus.UNKNOWN]
    assert looked.run.step == 1


def test_a_run_without_its_flow_ends():
    """A flow that cannot be found any more ends its runs, and says so."""
    looked = look(a_run(FLOW), None, {}, NOW)

    assert (looked.run.status, looked.run.reason) == (RunStatus.ENDED, "flow_missing")


def test_a_run_that_is_over_is_left_alone():
    """A wake-up for a run that ended does nothing."""
    ended = a_run(FLOW).ended("completed", NOW)

    assert ended is look(ended, FLOW, {}, NOW).run
