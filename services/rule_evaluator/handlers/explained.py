"""Explanations as the contract tells them."""

from collections.abc import Mapping

from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.membership.v1 import membership_pb2, membership_service_pb2
from hairspring.engine.evidence import Explanation
from hairspring.services.rule_evaluator.explaining import Explained
from hairspring.wire.times import from_ms, set_ms

#: The most bytes of properties in one answer; later ones are told without theirs.
MOST_BYTES = 4_000_000


def to_response(found: Explained, profile: str) -> membership_service_pb2.ExplainMembershipResponse:
    """Translate an explanation of a profile."""
    account = found.account
    teller = _Teller(found.events)
    response = membership_service_pb2.ExplainMembershipResponse(
        member=account.member,
        profile_id=profile,
        remark=account.remark,
        conditions=[teller.condition(part) for part in account.conditions],
        read_time=from_ms(found.at),
        segment_version=found.segment.version,
        notes=found.notes,
        records=found.records,
    )
    if account.member and account.entered_at is not None:
        set_ms(response.enter_time, account.entered_at)
    if account.left_at is not None:
        set_ms(response.leave_time, account.left_at)
    if account.until is not None:
        set_ms(response.until_time, account.until)
    return response


class _Teller:
    """Tells conditions with their events, as long as there is room for what those hold."""

    def __init__(self, events: Mapping[int, event_pb2.EventRecord]) -> None:
        self._events = events
        self._room = MOST_BYTES

    def condition(self, part: Explanation) -> membership_pb2.Explanation:
        """Translate a condition and all within it."""
        out = membership_pb2.Explanation(
            path=part.path,
            condition=part.words,
            holds=part.holds,
            detail=part.detail,
            events=[self._event(time, order) for time, order in part.events],
            parts=[self.condition(inner) for inner in part.parts],
            groups=part.groups,
        )
        if part.until is not None:
            set_ms(out.until_time, part.until)
        return out

    def _event(self, time: int, order: int) -> event_pb2.EventReference:
        reference = event_pb2.EventReference(position=order, occur_time=from_ms(time))
        record = self._events.get(order)
        if record is None:
            return reference
        reference.message_id = record.event.message_id
        reference.name = record.event.name
        reference.accept_time.CopyFrom(record.accept_time)
        if len(record.event.properties_json) <= self._room:
            reference.properties_json = record.event.properties_json
            self._room -= len(record.event.properties_json)
        return reference
