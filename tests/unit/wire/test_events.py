"""Events on their way into the log and out of it."""

from __future__ import annotations

import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.wire import events
from hairspring.wire.json import BadJson
from hairspring.wire.times import from_ms

PLACE = {"position": 7, "shard": 3, "workspace": "default", "profile": "anna"}


def read(payload: bytes, accepted_at: int) -> event_pb2.EventRecord:
    """Read a payload at a place in the log."""
    return events.read_record(payload, accepted_at=accepted_at, **PLACE)


def test_an_event_goes_in_and_a_record_comes_out() -> None:
    """Everything the sender said is there, with the place in the log beside it."""
    event = event_pb2.Event(
        profile_id="anna",
        name="Viewed",
        occur_time=from_ms(1_000),
        properties_json=b'{"a":1}',
        context_json=b'{"b":2}',
    )
    payload = events.to_payload(event, message_id="m1", import_id="may")
    assert read(payload, 2_000) == event_pb2.EventRecord(
        position=7,
        shard=3,
        workspace_id="default",
        profile_id="anna",
        accept_time=from_ms(2_000),
        event=event_pb2.RecordedEvent(
            message_id="m1",
            name="Viewed",
            type=event_pb2.EVENT_TYPE_TRACK,
            occur_time=from_ms(1_000),
            properties_json=b'{"a":1}',
            context_json=b'{"b":2}',
            import_id="may",
        ),
    )


@pytest.mark.parametrize(
    ("said", "expected", "original"),
    [
        (None, 2_000, None),
        (1_999, 1_999, None),
        (2_000, 2_000, None),
        (2_001, 2_000, 2_001),
        (-5, -5, None),
        (0, 0, None),
    ],
)
def test_a_time_is_bounded_by_the_acceptance(
    said: int | None, expected: int, original: int | None
) -> None:
    """A later time becomes the acceptance and is kept beside it; no time is the acceptance."""
    event = event_pb2.Event(name="Viewed")
    if said is not None:
        event.occur_time.CopyFrom(from_ms(said))
    record = read(events.to_payload(event, message_id="m"), 2_000)
    assert record.event.occur_time == from_ms(expected)
    assert record.event.HasField("original_time") == (original is not None)
    if original is not None:
        assert record.event.original_time == from_ms(original)


def test_an_identify_has_traits_and_no_name() -> None:
    """Whatever name a sender gives it; nothing said is an empty object."""
    event = event_pb2.Event(name="x", type=event_pb2.EVENT_TYPE_IDENTIFY)
    record = read(events.to_payload(event, message_id="m"), 1)
    assert (record.event.name, record.event.properties_json) == ("", b"{}")
    assert record.event.type == event_pb2.EVENT_TYPE_IDENTIFY


def test_properties_as_bytes_go_before_a_struct() -> None:
    """The Struct is used when there are no bytes."""
    event = event_pb2.Event(name="x")
    event.properties.update({"a": 1})
    assert read(events.to_payload(event, message_id="m"), 1).event.properties_json == b'{"a":1}'
    event.properties_json = b'{"b": 2}'
    assert read(events.to_payload(event, message_id="m"), 1).event.properties_json == b'{"b": 2}'


def test_bad_json_is_named_by_its_field() -> None:
    """Properties, traits and context are each told as such."""
    for event, word in [
        (event_pb2.Event(name="x", properties_json=b"["), "properties"),
        (event_pb2.Event(type=event_pb2.EVENT_TYPE_IDENTIFY, properties_json=b"["), "traits"),
        (event_pb2.Event(name="x", context_json=b"["), "context"),
    ]:
        with pytest.raises(BadJson, match=f"^{word} "):
            events.to_payload(event, message_id="m")


def test_the_end_of_an_import_has_no_time_of_its_own() -> None:
    """Only the acceptance is filled in."""
    record = read(events.finished_payload("may", with_flows=True), 2_000)
    assert record.import_finished == event_pb2.ImportFinished(import_id="may", with_flows=True)
    assert record.accept_time == from_ms(2_000)
