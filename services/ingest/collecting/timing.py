"""When a call happened, by the times that its sender told and by when it was received. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hairspring.contracts.event.v1 import event_pb2
from hairspring.wire.moments import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When it happened, and from what that was made; all in milliseconds since the epoch, UTC."""

    at: int
    received_at: int
    rule: "event_pb2.TimeRule.ValueType"
    original: int | None = None
    sent_at: int | None = None


def time_of(
    payload: Mapping[str, Any], *, sent_at: object, received_at: int, farthest: int
) -> Times:
    """Find when a call happened: `received_at - (sent_at - original)`.

    Clocks that differ by more than `farthest` (milliseconds) are not corrected. The `sent_at` of
    the envelope counts where the call has none of its own.
    """
    told, original = _moment(payload.get("timestamp")), _moment(payload.get("originalTimestamp"))
    sent = _moment(payload.get("sentAt"))
    sent = _moment(sent_at) if sent is None else sent
    if told is not None and original is not None and told != original:
        # Whoever tells both has corrected the one himself; RudderStack takes it so as well.
        return Times(
            at=told,
            received_at=received_at,
            rule=event_pb2.TIME_RULE_AS_TOLD,
            original=original,
            sent_at=sent,
        )
    original = told if original is None else original
    if original is None:
        rule = event_pb2.TIME_RULE_RECEIVED
        if _told_one(payload):
            rule = event_pb2.TIME_RULE_UNREADABLE
        return Times(at=received_at, received_at=received_at, rule=rule, sent_at=sent)
    at, rule = original, event_pb2.TIME_RULE_AS_TOLD
    if sent is not None:
        off = received_at - sent
        rule = event_pb2.TIME_RULE_TOO_FAR_APART
        if -farthest <= off <= farthest:
            at, rule = original + off, event_pb2.TIME_RULE_CORRECTED
    return Times(at=at, received_at=received_at, rule=rule, original=original, sent_at=sent)


def _told_one(payload: Mapping[str, Any]) -> bool:
    return any(payload.get(key) not in (None, "") for key in ("timestamp", "originalTimestamp"))


def _moment(value: object) -> int | None:
    if value is None:
        return None
    moment = parse(value)
    return None if moment is None else moment.at
