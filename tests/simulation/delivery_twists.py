"""Worlds whose delivery is spoilt in one place, to see that the checks notice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hairspring.log.port import Barrier
from hairspring.services.delivery import sender
from hairspring.services.delivery.following import Book
from hairspring.services.delivery.messages import Message, MessageStatus
from hairspring.services.delivery.ringing import Ringing
from hairspring.services.rule_evaluator.term import Term
from hairspring.services.rule_evaluator.work import Reader, Wake
from hairspring.store.port import Key

from tests.simulation.twists import Patch, Twist


def sent_again(patch: Patch) -> Twist:
    """What was being handed over when its sender died is sent again."""

    def pending(self: Message, reason: str) -> Message:
        return replace(self, status=MessageStatus.PENDING, reason=reason)

    return lambda world: patch(Message, "unknown", pending)


def no_check(patch: Patch) -> Twist:
    """A mail goes out without a look at the segment."""
    return lambda world: patch(sender, "still_there", lambda due, answer: True)


def an_old_answer(patch: Patch) -> Twist:
    """The evaluator answers with what it knows, not behind a barrier."""

    async def look(
        self: Term, keys: Sequence[Key], *, through: int, reader: Reader | None = None, **more: Any
    ) -> None:
        if reader is None:
            await looked(self, keys, through=through, **more)
            return
        wake = Wake(keys=keys, barrier=Barrier(position=0, through=0), rung=False)
        wake.reader = reader
        self._inbox.wake(wake)
        await wake.done

    looked = Term.look
    return lambda world: patch(Term, "look", look)


def no_strays(patch: Patch) -> Twist:
    """Nobody looks for runs that should have been woken."""

    async def recall(self: Ringing) -> None:
        return None

    return lambda world: patch(Ringing, "recall_strays", recall)


def read_anew(patch: Patch) -> Twist:
    """What is read from the log a second time is taken for new."""
    return lambda world: patch(Book, "is_written", lambda self, run_id: False)


DELIVERY_TWISTS: tuple[Callable[[Patch], Twist], ...] = (
    sent_again,
    no_check,
    an_old_answer,
    no_strays,
    read_anew,
)
