"""The log as lines."""

from __future__ import annotations

import orjson
from hairspring.cli import export, segment_spec
from hairspring.contracts.event.v1 import event_pb2 as pb
from hairspring.wire.times import from_ms

AT = 1_800_000_000_000


def test_the_four_times_and_the_rule_are_told() -> None:
    """Under the names of the Segment spec; the line reads back as the event that it was."""
    record = pb.EventRecord(position=7, profile_id="ada", accept_time=from_ms(AT + 9))
    record.event.name, record.event.type = "Product Added", pb.EVENT_TYPE_TRACK
    record.event.message_id, record.event.anonymous_id = "m1", "a1"
    record.event.occur_time.CopyFrom(from_ms(AT))
    record.event.timing.CopyFrom(
        pb.Timing(
            original_time=from_ms(AT + 3_600_000),
            send_time=from_ms(AT + 3_600_005),
            receive_time=from_ms(AT + 5),
            rule=pb.TIME_RULE_CORRECTED,
        )
    )

    written = export.line(record)

    assert written is not None
    assert written["timestamp"] == "2027-01-15T08:00:00.000Z"
    assert written["originalTimestamp"] == "2027-01-15T09:00:00.000Z"
    assert written["sentAt"] == "2027-01-15T09:00:00.005Z"
    assert written["receivedAt"] == "2027-01-15T08:00:00.005Z"
    assert written["timeRule"] == "corrected"
    assert (written["userId"], written["anonymousId"]) == ("ada", "a1")
    read = segment_spec.read(orjson.dumps(written))
    assert isinstance(read, segment_spec.Event)
    assert (read.profile, read.time, read.message_id) == ("ada", AT, "m1")
