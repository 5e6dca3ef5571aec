"""Ingest as delivery sees it: the events that a mail tells of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import grpc
from hairspring.contracts.event.v1 import (
    event_log_service_pb2,
    event_log_service_pb2_grpc,
    event_pb2,
)
from hairspring.services.delivery.adapters.calls import CALL_SECONDS, answered
from hairspring.services.delivery.adapters.evaluator import mapping_of
from hairspring.services.delivery.cart import ShopEvent
from hairspring.wire.times import to_ms

SERVICE = "ingest"
MOST_POSITIONS = 1_000
PAGE = 5_000
MOST_PAGES = 20


class TooLong(Exception):
    """A history is longer than a mail may ask for."""


class Ingest:
    """Asks ingest. Every method raises Away when it does not answer."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._log = event_log_service_pb2_grpc.EventLogServiceStub(channel)

    async def events(self, workspace: str, positions: Iterable[int]) -> dict[int, ShopEvent]:
        """Read single events by position; what is beyond the retention is missing."""
        wanted = sorted(set(positions))
        found: dict[int, ShopEvent] = {}
        for first in range(0, len(wanted), MOST_POSITIONS):
            request = event_log_service_pb2.GetEventsRequest(
                workspace_id=workspace, positions=wanted[first : first + MOST_POSITIONS]
            )
            call = self._log.GetEvents(request, timeout=CALL_SECONDS)
            response = await answered(SERVICE, call)
            found |= {record.position: _event(record) for record in response.records}
        return found

    async def history(
        self, workspace: str, profiles: Sequence[str], names: Sequence[str], after: int = 0
    ) -> dict[str, list[ShopEvent]]:
        """Read the events of these names by profile, from after a position of the log.

        Raises TooLong where there are more than 100,000.
        """
        found: dict[str, list[ShopEvent]] = {profile: [] for profile in profiles}
        request = event_log_service_pb2.ListEventsRequest(
            workspace_id=workspace,
            profile_ids=profiles,
            after_position=after,
            names=names,
            page_size=PAGE,
        )
        for _ in range(MOST_PAGES):
            call = self._log.ListEvents(request, timeout=CALL_SECONDS)
            response = await answered(SERVICE, call)
            for record in response.records:
                events = found.setdefault(record.profile_id, [])
                if record.WhichOneof("body") == "profile_deleted":
                    events.clear()
                else:
                    events.append(_event(record))
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token
        raise TooLong(f"more than {PAGE * MOST_PAGES} events of {len(profiles)} profiles")


def _event(record: event_pb2.EventRecord) -> ShopEvent:
    return ShopEvent(
        time=to_ms(record.event.occur_time),
        position=record.position,
        name=record.event.name,
        properties=mapping_of(record.event.properties_json),
    )
