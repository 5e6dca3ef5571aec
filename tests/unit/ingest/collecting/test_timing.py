"""When a call happened, by what its sender told."""

from __future__ import annotations

from typing import Any

import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.services.ingest.collecting.timing import Times, time_of
from hairspring.wire.times import iso

NOW = 1_800_000_000_000
HOUR, DAY = 3_600_000, 86_400_000


def found(sent_at: object = None, **payload: Any) -> Times:
    """Find the time of a call that is received now."""
    return time_of(payload, sent_at=sent_at, received_at=NOW, farthest=7 * DAY)


@pytest.mark.parametrize("off", [0, HOUR, -HOUR, 7 * DAY, -7 * DAY])
@pytest.mark.parametrize("key", ["timestamp", "originalTimestamp"])
def test_a_clock_that_is_off_is_corrected(off: int, key: str) -> None:
    """What happened a minute before sending happened a minute before receipt."""
    times = found(**{key: iso(NOW + off - 60_000), "sentAt": iso(NOW + off)})
    assert times.at == NOW - 60_000
    assert times.rule == event_pb2.TIME_RULE_CORRECTED
    assert (times.original, times.sent_at) == (NOW + off - 60_000, NOW + off)


def test_the_batch_says_when_it_was_sent() -> None:
    """Where the call does not say so itself."""
    times = found(sent_at=iso(NOW + HOUR), timestamp=iso(NOW))
    assert (times.at, times.sent_at) == (NOW - HOUR, NOW + HOUR)
    own = found(sent_at=iso(NOW + HOUR), timestamp=iso(NOW), sentAt=iso(NOW))
    assert (own.at, own.sent_at) == (NOW, NOW)


@pytest.mark.parametrize("off", [7 * DAY + 1, -7 * DAY - 1, -NOW])
def test_clocks_that_are_too_far_apart_are_not_corrected(off: int) -> None:
    """Recorded history that is sent again stays history."""
    times = found(timestamp=iso(NOW + off - HOUR), sentAt=iso(NOW + off))
    assert (times.at, times.rule) == (NOW + off - HOUR, event_pb2.TIME_RULE_TOO_FAR_APART)


@pytest.mark.parametrize("sent", [None, "", "tomorrow", {}])
def test_without_a_time_of_sending_the_time_is_taken_as_told(sent: object) -> None:
    """An unreadable one is as none."""
    times = found(timestamp=iso(NOW - HOUR), sentAt=sent)
    assert (times.at, times.rule) == (NOW - HOUR, event_pb2.TIME_RULE_AS_TOLD)


def test_a_sender_that_tells_both_times_has_corrected_it_itself() -> None:
    """The timestamp is taken as it is, as RudderStack does; two that are equal say nothing new."""
    said = {"originalTimestamp": iso(NOW - HOUR), "sentAt": iso(NOW - HOUR)}
    times = found(timestamp=iso(NOW - DAY), **said)
    assert (times.at, times.rule) == (NOW - DAY, event_pb2.TIME_RULE_AS_TOLD)
    assert times.original == NOW - HOUR
    equal = found(timestamp=iso(NOW - HOUR), **said)
    assert (equal.at, equal.rule) == (NOW, event_pb2.TIME_RULE_CORRECTED)


def test_a_call_without_a_time_happened_when_it_was_received() -> None:
    """Whether none was told, or none that can be read, is told apart."""
    assert found().rule == event_pb2.TIME_RULE_RECEIVED
    assert found(timestamp="").rule == event_pb2.TIME_RULE_RECEIVED
    for said in ("yesterday", {}, True, "2026-13-45T00:00:00Z"):
        times = found(timestamp=said, sentAt=iso(NOW))
        assert (times.at, times.rule) == (NOW, event_pb2.TIME_RULE_UNREADABLE)
