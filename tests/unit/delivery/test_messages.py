from dataclasses import replace

from hairspring.services.delivery import backoff
from hairspring.services.delivery.messages import (
    Handover,
    MessageStatus,
    Report,
    message_of,
    settle,
)
from hairspring.services.delivery.runs import RunStatus
from hairspring.wire.flows import Send, Wait

from tests.unit.delivery.making import HOUR, NOW, a_flow, a_run

SEND = Send(template="plain")
FLOW = a_flow(SEND, Wait(for_ms=HOUR), SEND)
RUN = a_run(FLOW)
SENDING = replace(message_of(RUN, SEND), status=MessageStatus.SENDING, attempts=1)


def settled(handover: Handover, run=RUN, message=SENDING, at=NOW + 5, reason=""):
    return settle(message, run, FLOW, Report(handover=handover, at=at, reason=reason))


def test_a_message_that_was_taken_is_sent_and_its_run_goes_on():
    """The run stands at the next wait."""
    message, run = settled(Handover.TAKEN)

    assert (message.status, message.sent_at, message.reason) == (MessageStatus.SENT, NOW + 5, "")
    assert (run.step, run.due_at) == (1, NOW + HOUR)


def test_a_refused_message_fails_and_its_run_goes_on():
    """One address that does not exist is no reason to stop the run."""
    message, run = settled(Handover.REFUSED, reason="550 no such mailbox")

    assert (message.status, message.reason) == (MessageStatus.FAILED, "550 no such mailbox")
    assert run.step == 1


def test_a_message_without_an_answer_is_unknown():
    """What may have been taken is never tried again."""
    message, run = settled(Handover.UNKNOWN, reason="no answer")

    assert MessageStatus.UNKNOWN is message.status
    assert run.step == 1


def test_a_message_that_was_not_taken_waits():
    """It is pending again, and its run is looked at after a pause, still at the same step."""
    message, run = settled(Handover.LATER, reason="451 later")

    assert (message.status, message.reason) == (MessageStatus.PENDING, "451 later")
    assert (run.step, run.due_at) == (0, NOW)
    assert NOW + 5 + backoff.pause_ms(SENDING.message_id, 1) == run.wake_at


def test_a_message_is_given_up_after_three_days():
    """Trying has an end."""
    at = NOW + backoff.GIVE_UP_AFTER_MS

    message, run = settled(Handover.LATER, at=at, reason="451 later")

    assert MessageStatus.FAILED is message.status
    assert message.reason == "given up after 1 tries: 451 later"
    assert (1, at + HOUR) == (run.step, run.due_at)


def test_a_run_that_ended_meanwhile_stays_ended():
    """A mail that was on its way when the segment was left is sent; its run is over."""
    ended = RUN.ended("segment_left", NOW + 1)

    taken, after_taken = settled(Handover.TAKEN, run=ended)
    later, after_later = settled(Handover.LATER, run=ended)

    assert MessageStatus.SENT is taken.status
    assert (later.status, later.reason) == (MessageStatus.SKIPPED, "segment_left")
    assert after_taken is after_later is ended
    assert RunStatus.ENDED is ended.status
