"""Pure: whether a message that is due is sent, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from hairspring.services.delivery.cart import Line, ShopEvent
from hairspring.services.delivery.context import context_of
from hairspring.services.delivery.mail import (
    BadAddress,
    Envelope,
    Sender,
    address_of,
    envelope_of,
)
from hairspring.services.delivery.messages import (
    CART_EMPTY,
    IN_QUARANTINE,
    NO_EMAIL,
    OTHER_RUN,
    Message,
    MessageStatus,
    go_on,
)
from hairspring.services.delivery.questions import Answer
from hairspring.services.delivery.rendering import CannotRender, Prepared
from hairspring.services.delivery.runs import SEGMENT_LEFT, Run
from hairspring.services.delivery.taking_up import Due


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What ingest knows of a run: the events that set it off, and what is left in the cart."""

    trigger: Sequence[ShopEvent] = ()
    lines: Sequence[Line] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A message that can be handed over."""

    due: Due
    message: Message
    envelope: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """A message that is not sent, and how its run stands then."""

    due: Due
    message: Message
    run: Run


Composed: TypeAlias = Ready | NotSent


def as_it_counts(one: NotSent, current: Mapping[str, Run]) -> NotSent:
    """Keep the entry that the run counts from by now: a merge may have been read meanwhile."""
    entered_at = current[one.run.run_id].entered_at
    return replace(one, run=replace(one.run, entered_at=entered_at))


def unmoved(one: Composed | Due, current: Mapping[str, Run]) -> bool:
    """Tell whether the run still stands where it stood when its message was taken up."""
    was = one.run if isinstance(one, Due) else one.due.run
    now = current.get(was.run_id)
    return now is not None and now.active and now.step == was.step


def marked(ready: Ready) -> Ready:
    """Mark a message as one that is being handed over."""
    message = replace(
        ready.message,
        status=MessageStatus.SENDING,
        reason="",
        attempts=ready.message.attempts + 1,
    )
    return replace(ready, message=message)


def still_there(due: Due, answer: Answer) -> bool:
    """Tell whether the profile is in the segment by the very entry that set off the run."""
    return answer.member and answer.entered_at == due.run.entered_at


def is_behind(due: Due, answer: Answer) -> bool:
    """Tell whether the log has yet to tell what the answer knows: an entry before that of the run.

    Her membership counts from an older entry by a merge, or she left and one came along by it;
    which it was is what the log tells. For an id that became part of another profile the older
    entry is the other's own, and nothing will be told.
    """
    hers = answer.profile in ("", due.run.profile)
    older = answer.entered_at is not None and answer.entered_at < due.run.entered_at
    return hers and answer.member and older


def has_left(due: Due, now: int) -> NotSent:
    """End a run whose segment was left before its message went out."""
    return NotSent(
        due=due,
        message=due.message.skipped(SEGMENT_LEFT),
        run=due.run.ended(SEGMENT_LEFT, now),
    )


def yields(due: Due, now: int) -> NotSent:
    """End the run of an id that became part of a profile which has a run of the same flow."""
    return NotSent(
        due=due,
        message=due.message.skipped(OTHER_RUN),
        run=due.run.ended(OTHER_RUN, now),
    )


def passed(due: Due, message: Message, now: int) -> NotSent:
    """Settle a message without sending it; its run goes on."""
    return NotSent(due=due, message=message, run=go_on(due.run, message, due.flow, now))


def compose(
    due: Due, answer: Answer, prepared: Prepared, facts: Facts, sender: Sender, now: int
) -> Composed:
    """Write the mail of a message, or say why there is none."""
    if answer.incomplete:
        return passed(due, due.message.skipped(IN_QUARANTINE), now)
    told = answer.traits.get("email")
    if not told:
        return passed(due, due.message.skipped(NO_EMAIL), now)
    try:
        recipient = address_of(told)
    except BadAddress as error:
        return passed(due, due.message.skipped(f"bad email address: {error}"), now)
    if prepared.uses_cart and not facts.lines:
        return passed(due, due.message.skipped(CART_EMPTY), now)
    try:
        profile = answer.profile or due.run.profile
        rendered = prepared.render(
            context_of(due.run, profile, answer.traits, facts.trigger, facts.lines)
        )
    except CannotRender as error:
        return passed(due, due.message.failed(f"the template cannot be rendered: {error}"), now)
    message = replace(due.message, recipient=recipient, subject=rendered.subject)
    envelope = envelope_of(message.message_id, sender, recipient, rendered, now)
    return Ready(due=due, message=message, envelope=envelope)
