"""Gathers what mails tell of: only for the templates that ask for it, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.services.delivery import cart
from hairspring.services.delivery.adapters.ingest import Ingest, TooLong
from hairspring.services.delivery.cart import Line, ShopEvent
from hairspring.services.delivery.composing import Facts
from hairspring.services.delivery.rendering import Prepared
from hairspring.services.delivery.taking_up import Due

MOST_TRIGGER_EVENTS = 100
"""How many of the latest events that set off a run a template can see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A message that is due, and the template that tells what it needs."""

    due: Due
    prepared: Prepared
    profile: str  #: Whose it is by now.


class FactFinder:
    """Asks ingest for the events of several messages. Raises Away when it does not answer."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    async def facts_of(self, wanted: Sequence[Wanted]) -> dict[str, Facts]:
        """Answer the facts of each message, by the id of its run."""
        found: dict[str, Facts] = {}
        for workspace in {one.due.run.workspace for one in wanted}:
            here = [one for one in wanted if one.due.run.workspace == workspace]
            triggers = await self._triggers(workspace, here)
            carts = await self._carts(workspace, here)
            for one in here:
                run = one.due.run
                found[run.run_id] = Facts(
                    trigger=triggers.get(run.run_id, ()), lines=carts.get(one.profile, ())
                )
        return found

    async def _triggers(
        self, workspace: str, wanted: Iterable[Wanted]
    ) -> Mapping[str, Sequence[ShopEvent]]:
        asking = {
            one.due.run.run_id: evidence_of(one.due.run.record)
            for one in wanted
            if one.prepared.uses_trigger
        }
        positions = {position for some in asking.values() for position in some}
        events = await self._ingest.events(workspace, positions) if positions else {}
        return {
            run_id: sorted(
                (events[position] for position in some if position in events),
                key=lambda event: (event.time, event.position),
            )
            for run_id, some in asking.items()
        }

    async def _carts(
        self, workspace: str, wanted: Iterable[Wanted]
    ) -> Mapping[str, Sequence[Line]]:
        asking = [one for one in wanted if one.prepared.uses_cart]
        profiles = sorted({one.profile for one in asking})
        if not profiles:
            return {}
        try:
            events = await self._ingest.history(workspace, profiles, cart.EVENT_NAMES)
        except TooLong:
            events = await self._recent(workspace, asking)
        return {profile: cart.left_in(some) for profile, some in events.items()}

    async def _recent(self, workspace: str, asking: Iterable[Wanted]) -> dict[str, list[ShopEvent]]:
        """Read each profile for itself, from the first event that set off its run.

        One whose history is too long even so has an empty cart, and gets no mail about it.
        """
        events: dict[str, list[ShopEvent]] = {}
        for one in asking:
            first = min(evidence_of(one.due.run.record), default=1)
            try:
                events |= await self._ingest.history(
                    workspace, [one.profile], cart.EVENT_NAMES, after=first - 1
                )
            except TooLong:
                events[one.profile] = []
        return events


def evidence_of(record: bytes) -> list[int]:
    """Name the events that brought an entry about by their positions, at most the latest 100."""
    transition = transition_pb2.Record.FromString(record).transition
    positions = {event.position for one in transition.evidence for event in one.events}
    if transition.cause.WhichOneof("kind") == "event":
        positions.add(transition.cause.event.position)
    return sorted(position for position in positions if position > 0)[-MOST_TRIGGER_EVENTS:]
