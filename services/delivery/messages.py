"""A message: what one step of a run sends, and what becomes of it. Pure decisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, IntEnum

from hairspring.services.delivery import backoff, flows
from hairspring.services.delivery.runs import SEGMENT_LEFT, Run
from hairspring.wire.flows import Flow, Send

NO_EMAIL = "no email"
CART_EMPTY = "cart is empty"
OTHER_RUN = "another run of this flow goes on for the same person"
IN_QUARANTINE = "something of the profile is in quarantine, so nobody knows whether to send"
BEHIND = "the log has yet to tell from which entry the segment counts"
STOPPED = "delivery stopped while it was being handed over"


class MessageStatus(IntEnum):
    """How a message stands; the numbers are those of the contract."""

    PENDING = 1  #: It is due: being checked, or tried again later.
    SENDING = 2  #: It is being handed over.
    SENT = 3  #: The other side has taken it.
    SKIPPED = 4  #: It was not sent, for the reason given.
    FAILED = 5  #: The other side has refused it for good, or it was given up.
    UNKNOWN = 6  #: Whether it was taken cannot be known; it is never sent again.


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one step of a run sends. All times are ms, UTC."""

    message_id: str
    shard: int
    workspace: str
    profile: str
    run_id: str
    step: int
    flow: str
    template: str
    channel: str
    due_at: int
    recipient: str = ""
    subject: str = ""
    status: MessageStatus = MessageStatus.PENDING
    reason: str = ""
    sent_at: int | None = None
    attempts: int = 0

    def skipped(self, reason: str) -> Message:
        """Answer the message as one that is not sent."""
        return replace(self, status=MessageStatus.SKIPPED, reason=reason)

    def failed(self, reason: str) -> Message:
        """Answer the message as one that can never be sent."""
        return replace(self, status=MessageStatus.FAILED, reason=reason)

    def unknown(self, reason: str) -> Message:
        """Answer the message as one of which nobody can know whether it was taken."""
        return replace(self, status=MessageStatus.UNKNOWN, reason=reason)


class Handover(Enum):
    """How handing a message over ended."""

    TAKEN = "taken"  #: The other side said yes.
    LATER = "later"  #: It was certainly not taken, and may be tried again.
    REFUSED = "refused"  #: The other side said no for good.
    UNKNOWN = "unknown"  #: It was on its way when the answer failed to come.


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How one try ended, when (ms, UTC), and what the other side said."""

    handover: Handover
    at: int
    reason: str = ""


def message_of(run: Run, send: Send) -> Message:
    """Make the message of the send that a run stands at: always the same one."""
    return Message(
        message_id=f"{run.run_id}-{run.step}",
        shard=run.shard,
        workspace=run.workspace,
        profile=run.profile,
        run_id=run.run_id,
        step=run.step,
        flow=run.flow,
        template=send.template,
        channel=send.channel,
        due_at=run.due_at if run.due_at is not None else run.started_at,
    )


def by_run(messages: Iterable[Message]) -> dict[str, dict[int, Message]]:
    """Sort messages by their run, and by its steps."""
    found: dict[str, dict[int, Message]] = {}
    for message in messages:
        found.setdefault(message.run_id, {})[message.step] = message
    return found


def settle(message: Message, run: Run, flow: Flow | None, report: Report) -> tuple[Message, Run]:
    """Decide what a try means for its message and its run, which may have ended meanwhile."""
    match report.handover:
        case Handover.TAKEN:
            sent = replace(message, status=MessageStatus.SENT, reason="", sent_at=report.at)
            return sent, go_on(run, message, flow, report.at)
        case Handover.REFUSED:
            return message.failed(report.reason), go_on(run, message, flow, report.at)
        case Handover.UNKNOWN:
            return message.unknown(report.reason), go_on(run, message, flow, report.at)
        case Handover.LATER:
            return _try_later(message, run, flow, report)


def _try_later(
    message: Message, run: Run, flow: Flow | None, report: Report
) -> tuple[Message, Run]:
    if not run.active:
        return message.skipped(run.reason or SEGMENT_LEFT), run
    if backoff.gives_up(message.due_at, report.at):
        given_up = message.failed(f"given up after {message.attempts} tries: {report.reason}")
        return given_up, go_on(run, message, flow, report.at)
    again_at = report.at + backoff.pause_ms(message.message_id, message.attempts)
    waiting = replace(message, status=MessageStatus.PENDING, reason=report.reason)
    return waiting, run.woken_at(again_at)


def go_on(run: Run, message: Message, flow: Flow | None, at: int) -> Run:
    """Answer the run once this message is settled; one that has ended or moved stays as it is."""
    if not run.active or run.step != message.step or flow is None:
        return run
    return flows.after_send(run, flow, at)
