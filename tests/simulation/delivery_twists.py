"""Worlds whose delivery is spoilt in one place, to see that the checks notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

from hairspring.log.port import Barrier, Batch
from hairspring.services.delivery import sender
from hairspring.services.delivery.adapters.memory import MemoryDeliveryStore
from hairspring.services.delivery.following import Book
from hairspring.services.delivery.messages import Message, MessageStatus
from hairspring.services.rule_evaluator.term import Term
from hairspring.services.rule_evaluator.work import Reader, Wake
from hairspring.store.port import Key

from tests.simulation.twists import Patch, Twist
from tests.simulation.world import World

BEHIND_SECONDS = 0.3


def sent_again(patch: Patch) -> Twist:
    """What was being handed over when its sender died is sent again."""

    def pending(self: Message, reason: str) -> Message:
        return replace(self, status=MessageStatus.PENDING, reason=reason)

    return lambda world: patch(Message, "unknown", pending)


def no_check(patch: Patch) -> Twist:
    """A mail goes out without a look at the segment."""
    return lambda world: patch(sender, "still_there", lambda due, answer: True)


def an_old_answer(patch: Patch) -> Twist:
    """An evaluator that is behind answers with what it knows, not behind a barrier."""

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

    def twist(world: World) -> None:
        tail = world.log.tail

        async def behind(*positions: Any, **more: Any) -> AsyncIterator[Batch]:
            async for batch in tail(*positions, **more):
                await asyncio.sleep(BEHIND_SECONDS)
                yield batch

        patch(world.log, "tail", behind)
        patch(Term, "look", look)

    return twist


def read_anew(patch: Patch) -> Twist:
    """What is read from the log a second time is taken for new."""
    return lambda world: patch(Book, "is_written", lambda self, run_id: False)


def no_formers(patch: Patch) -> Twist:
    """A cooldown does not count what was started for former ids."""
    return lambda world: patch(MemoryDeliveryStore, "_lineage", lambda self, place: [place])


def formers_forgotten(patch: Patch) -> Twist:
    """Nobody notes whose former ids there are."""

    async def forget(self: MemoryDeliveryStore, connection: Any, formers: Any) -> None:
        return None

    return lambda world: patch(MemoryDeliveryStore, "save_formers", forget)


DELIVERY_TWISTS: tuple[Callable[[Patch], Twist], ...] = (
    sent_again,
    no_check,
    an_old_answer,
    read_anew,
    no_formers,
    formers_forgotten,
)
