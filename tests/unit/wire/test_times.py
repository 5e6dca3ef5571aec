"""Timestamps and milliseconds."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hairspring.contracts.event.v1 import event_pb2
from hairspring.wire.times import EARLIEST_MS, LATEST_MS, from_ms, ms_of, set_ms, to_ms


@pytest.mark.parametrize("ms", [0, 1, 999, -1, -1001, 1_659_304_800_025, EARLIEST_MS, LATEST_MS])
def test_milliseconds_survive_the_way_there_and_back(ms: int) -> None:
    """Every representable moment comes back as itself."""
    assert to_ms(from_ms(ms)) == ms
    assert to_ms(Timestamp.FromString(from_ms(ms).SerializeToString())) == ms


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (Timestamp(seconds=1, nanos=999_999), 1_000),
        (Timestamp(seconds=-1, nanos=999_999_999), -1),
        (Timestamp(seconds=1_768_000_000_000), LATEST_MS),
        (Timestamp(seconds=-(2**63)), EARLIEST_MS),
        (Timestamp(seconds=2**63 - 1, nanos=2**31 - 1), LATEST_MS),
        (Timestamp(seconds=5, nanos=-7), 5_000),
    ],
)
def test_what_is_finer_is_cut_and_what_is_beyond_is_bounded(
    timestamp: Timestamp, expected: int
) -> None:
    """No Timestamp on the wire is an error."""
    assert to_ms(timestamp) == expected


def test_the_epoch_is_a_time_and_no_time_is_none() -> None:
    """A field that is set to the epoch is set; one that is not set is None."""
    event = event_pb2.Event()
    assert ms_of(event, "occur_time") is None
    set_ms(event.occur_time, 0)
    assert ms_of(event, "occur_time") == 0
