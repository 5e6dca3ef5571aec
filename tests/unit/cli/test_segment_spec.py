"""One line in the shape of the Segment spec."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hairspring.cli import segment_spec
from hairspring.cli.segment_spec import Event, ImportFinished, Unreadable
from hairspring.wire.times import EARLIEST_MS, LATEST_MS
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shared_data import shared_data

TRACK: dict[str, Any] = {
    "type": "track",
    "messageId": "m1",
    "userId": "ada",
    "event": "Product Added",
    "timestamp": "2022-07-31T22:00:00.025Z",
    "properties": {"price": 20},
}


def read(**changes: object) -> Event | ImportFinished | Unreadable:
    return segment_spec.read(orjson.dumps({**TRACK, **changes}))


def event(**changes: object) -> Event:
    found = read(**changes)
    assert isinstance(found, Event), found
    return found


def problem(**changes: object) -> str:
    found = read(**changes)
    assert isinstance(found, Unreadable), found
    return found.problem


def test_a_track_call() -> None:
    """A track call becomes an event with its time in milliseconds."""
    expected = Event(
        type="track",
        profile="ada",
        name="Product Added",
        time=1659304800025,
        message_id="m1",
        properties={"price": 20},
    )
    assert event() == expected


@pytest.mark.parametrize(
    ("ids", "profile"),
    [
        ({"userId": "ada", "anonymousId": "a1"}, "ada"),
        ({"userId": None, "anonymousId": "a1"}, "a1"),
        ({"userId": "", "anonymousId": "a1"}, "a1"),
        ({"userId": 42}, "42"),
    ],
)
def test_whose_event_it_is(ids: dict[str, object], profile: str) -> None:
    """A profile's id is its userId, else its anonymousId; a number is taken as text."""
    assert event(**ids).profile == profile


def test_pages_and_screens_are_events() -> None:
    """A page and a screen become events, with their name among the properties."""
    page = event(type="page", event=None, name="Sale")
    screen = event(type="Screen", event=None, name="Sale", properties={"name": "own"})
    assert (page.name, page.properties) == ("Page Viewed", {"price": 20, "name": "Sale"})
    assert (screen.name, screen.properties) == ("Screen Viewed", {"name": "own"})


def test_traits_of_an_identify() -> None:
    """An identify gives its traits, which some senders put into the context."""
    direct = event(type="identify", traits={"name": "Ada"})
    nested = event(type="identify", context={"traits": {"name": "Ada"}})
    both = event(type="identify", traits={"name": "Ada"}, context={"traits": {"name": "A", "n": 1}})
    assert both.properties == {"name": "Ada", "n": 1}
    assert direct.type == nested.type == "identify"
    assert direct.properties == nested.properties == {"name": "Ada"}
    assert direct.name == ""


def test_the_time_said_by_the_call() -> None:
    """Without a timestamp the originalTimestamp counts."""
    found = event(timestamp=None, originalTimestamp="2022-07-31T22:00:01Z")
    assert found.time == 1659304801000


def test_a_year_out_of_bounds_is_told() -> None:
    """A time in the year 58000 is bounded, and the remark says so."""
    found = event(timestamp="+058000-01-01T00:00:00Z")
    assert found.time == LATEST_MS
    assert found.remark == (
        '"timestamp" "+058000-01-01T00:00:00Z" taken as 9999-12-31T23:59:59.999Z'
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "group"}, "a group call is not taken"),
        ({"type": "Alias"}, "an alias call is not taken"),
        ({"type": None}, '"type" is missing'),
        ({"type": "REST"}, 'not "REST"'),
        ({"type": ["track"]}, '"type" must be track'),
        ({"event": ""}, '"event" is missing'),
        ({"event": {"a": 1}}, '"event" must be a text, not an object'),
        ({"event": "x" * 256}, "longer than 255"),
        ({"userId": None}, 'neither "userId" nor "anonymousId"'),
        ({"userId": True}, '"userId" must be a text, not a boolean'),
        ({"userId": "x" * 256}, "longer than 255"),
        ({"messageId": {}}, '"messageId" must be a text'),
        ({"timestamp": "NOW"}, 'is not an ISO 8601 time: "NOW"'),
        ({"timestamp": None}, "says when it happened"),
        ({"properties": [1]}, '"properties" must be an object, not a list'),
        ({"context": "x"}, '"context" must be an object, not a text'),
    ],
)
def test_what_is_no_event(changes: dict[str, object], said: str) -> None:
    """What cannot be taken gets a reason that names the field."""
    assert said in problem(**changes)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"1", b"null", b"[" * 100_000, b'{"a": NaN}'])
def test_what_is_no_json_object(line: bytes) -> None:
    """What is no JSON object is no event, however it is broken."""
    assert isinstance(segment_spec.read(line), Unreadable)


def test_damaged_text_is_mended() -> None:
    """A lone surrogate or bad UTF-8 in a text costs the character and not the event."""
    line = orjson.dumps({**TRACK, "properties": {"name": "?"}})
    for damaged in (b"\\ud800", b"\xff"):
        found = segment_spec.read(line.replace(b'"?"', b'"' + damaged + b'"'))
        assert isinstance(found, Event)
        assert found.properties == {"name": "\ufffd"}


def test_lines_without_an_id_are_known_by_their_content() -> None:
    """The same line twice is one event also where its sender gave it no id."""
    one, same = event(messageId=None), event(messageId="")
    other = event(messageId=None, properties={"price": 21})
    assert one.message_id == same.message_id != other.message_id
    assert one.message_id.startswith("content-")


def test_a_line_of_an_exported_log() -> None:
    """What the log adds is read: position, acceptance, import and original time."""
    found = event(
        acceptedAt="2022-07-31T22:00:00.025Z",
        position=7,
        importId="i1",
        originalTimestamp="2030-01-01T00:00:00Z",
    )
    assert (found.position, found.accepted_at, found.import_id) == (7, 1659304800025, "i1")
    assert found.original_time == 1893456000000


def test_the_mark_of_an_import() -> None:
    """The end of an import is read from an exported log."""
    mark = {"type": "import_finished", "importId": "i1", "shard": 3, "position": 9}
    line = orjson.dumps({**mark, "acceptedAt": "2022-07-31T22:00:00.025Z"})
    expected = ImportFinished(import_id="i1", shard=3, position=9, accepted_at=1659304800025)
    assert segment_spec.read(line) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*TRACK, "anonymousId", "context", "traits"]), JSON))
def test_nothing_that_json_can_hold_raises(changes: dict[str, object]) -> None:
    """Whatever stands in the fields, the answer is an event or a reason."""
    line = orjson.dumps({**TRACK, **changes})
    assert isinstance(segment_spec.read(line), Event | Unreadable)


@given(st.binary())
def test_no_bytes_raise(line: bytes) -> None:
    """Whatever the bytes are, the answer is an event or a reason."""
    assert isinstance(segment_spec.read(line), Event | Unreadable)


def test_payloads_as_engineers_wrote_them() -> None:
    """Real payloads of every odd shape are read or refused, and most of the sound ones read."""
    lines = shared_data("segment-payloads/payloads.jsonl").read_bytes().splitlines()
    found = [segment_spec.read(line) for line in lines]
    events = [one for one in found if isinstance(one, Event)]
    assert len(found) == 2710
    assert len(events) > 1800
    assert all(event.profile and EARLIEST_MS <= event.time <= LATEST_MS for event in events)
