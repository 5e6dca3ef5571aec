"""One call of an SDK becomes an event, or is refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.services.ingest.collecting.bodies import Damaged, Envelope
from hairspring.services.ingest.collecting.kinds import Kind
from hairspring.services.ingest.collecting.normalising import Refused, normalise

NOW = 1_800_000_000_000


def made(payload: object, kind: Kind | None = None, **envelope: Any) -> event_pb2.Event:
    """Make the event of a sound call."""
    event = normalise(payload, kind=kind, envelope=Envelope(**envelope), received_at=NOW)
    assert isinstance(event, event_pb2.Event), event
    return event


def refused(payload: object, **envelope: Any) -> Refused:
    """Have a call refused."""
    found = normalise(payload, kind=None, envelope=Envelope(**envelope), received_at=NOW)
    assert isinstance(found, Refused), found
    return found


def properties(event: event_pb2.Event) -> Any:
    """The properties or traits of an event."""
    return orjson.loads(event.properties_json)


def test_a_track_is_the_event_that_it_names() -> None:
    """Name, ids, properties and context are what the sender said."""
    event = made(
        {
            "type": "track",
            "event": "Product Added",
            "userId": "ada",
            "anonymousId": "a1",
            "messageId": "m1",
            "properties": {"price": 39, "big": 2**63},
            "context": {"timezone": "Europe/Berlin", "campaign": {"name": "may"}},
        }
    )
    assert (event.name, event.profile_id, event.anonymous_id) == ("Product Added", "ada", "a1")
    assert (event.type, event.message_id) == (event_pb2.EVENT_TYPE_TRACK, "m1")
    assert properties(event) == {"price": 39, "big": 2**63}
    assert orjson.loads(event.context_json)["timezone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("payload", "name", "expected"),
    [
        (
            {"type": "page", "name": "Home", "category": "Shop", "properties": {"url": "/"}},
            "Page Viewed",
            {"name": "Home", "category": "Shop", "url": "/"},
        ),
        ({"type": "page", "name": "a", "properties": {"name": "b"}}, "Page Viewed", {"name": "b"}),
        ({"type": "screen", "event": "Cart"}, "Screen Viewed", {"name": "Cart"}),
        (
            {"type": "group", "groupId": 7, "traits": {"plan": "pro"}},
            "Group Joined",
            {"group_id": "7", "traits": {"plan": "pro"}},
        ),
    ],
)
def test_other_calls_are_events_with_a_name_of_ours(
    payload: dict[str, Any], name: str, expected: dict[str, Any]
) -> None:
    """Pages, screens and groups keep what they say as properties."""
    event = made({"userId": "ada", **payload})
    assert (event.name, event.type) == (name, event_pb2.EVENT_TYPE_TRACK)
    assert properties(event) == expected


def test_traits_come_from_the_call_and_from_its_context() -> None:
    """RudderStack writes them into the context; what the call itself says counts more."""
    event = made(
        {
            "type": "identify",
            "userId": "ada",
            "traits": {"name": "Ada"},
            "context": {"traits": {"name": "A", "email": "ada@example.com"}},
        }
    )
    assert (event.name, event.type) == ("", event_pb2.EVENT_TYPE_IDENTIFY)
    assert properties(event) == {"name": "Ada", "email": "ada@example.com"}


@pytest.mark.parametrize(
    ("payload", "previous"),
    [
        ({"type": "alias", "previousId": "old"}, "old"),
        ({"type": "alias", "previousId": "old", "anonymousId": "a1"}, "old"),
        ({"type": "Alias", "anonymousId": "a1"}, "a1"),
    ],
)
def test_an_alias_names_the_id_that_is_the_same_persons(
    payload: dict[str, Any], previous: str
) -> None:
    """It is the previous id, else the anonymous one."""
    event = made({"userId": "ada", **payload})
    assert (event.type, event.profile_id) == (event_pb2.EVENT_TYPE_ALIAS, "ada")
    assert event.previous_id == previous


@pytest.mark.parametrize("nothing", [None, [], "", {}])
def test_no_properties_are_written_in_many_ways(nothing: object) -> None:
    """PHP writes an empty object as an empty list."""
    call = {"type": "track", "event": "X", "userId": "ada", "context": nothing}
    event = made({**call, "properties": nothing})
    assert (event.properties_json, event.context_json) == (b"{}", b"")


def test_the_kind_of_the_path_counts_and_needs_no_type() -> None:
    """A call to /v1/track is a track, whatever its payload says."""
    assert made({"type": "page", "event": "X", "userId": "ada"}, Kind.TRACK).name == "X"


def test_the_context_of_the_batch_lies_below_that_of_the_call() -> None:
    """What both say counts as the call says it."""
    call = {"type": "track", "event": "X", "userId": "ada", "context": {"locale": "de"}}
    event = made(call, context={"locale": "en", "ip": "10.0.0.1"})
    assert orjson.loads(event.context_json) == {"locale": "de", "ip": "10.0.0.1"}


@pytest.mark.parametrize(
    ("ids", "profile"),
    [
        ({"userId": 432}, "432"),
        ({"userId": "", "anonymousId": "a1"}, "a1"),
        ({"userId": None, "anonymousId": "a1"}, "a1"),
        ({"userId": "ada", "anonymousId": None}, "ada"),
    ],
)
def test_whose_call_it_is(ids: dict[str, Any], profile: str) -> None:
    """The known id, else the anonymous one; numbers are ids too, null and blanks are none."""
    event = made({"type": "track", "event": "X", **ids})
    assert (event.profile_id or event.anonymous_id) == profile


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ([], "invalid_json"),
        (Damaged(problem="no JSON"), "invalid_json"),
        ({"userId": "ada"}, "unknown_type"),
        ({"type": "audiencelist", "userId": "ada"}, "unknown_type"),
        ({"type": "track", "event": "X"}, "no_user_anon_id"),
        ({"type": "track", "event": "X", "userId": " "}, "no_user_anon_id"),
        ({"type": "track", "event": "X", "userId": "null"}, "bad_id"),
        ({"type": "track", "event": "X", "userId": "Guest"}, "bad_id"),
        ({"type": "track", "event": "X", "userId": 0}, "bad_id"),
        ({"type": "track", "event": "X", "userId": True}, "bad_id"),
        ({"type": "track", "event": "X", "userId": ["ada"]}, "bad_id"),
        ({"type": "track", "event": "X", "userId": "x" * 256}, "bad_id"),
        ({"type": "track", "event": "X", "userId": "a\0"}, "bad_id"),
        ({"type": "track", "event": "X", "userId": "ada", "messageId": {}}, "bad_id"),
        ({"type": "track", "userId": "ada"}, "no_event_name"),
        ({"type": "track", "userId": "ada", "event": {"name": "X"}}, "no_event_name"),
        ({"type": "track", "userId": "ada", "event": "X", "properties": [1]}, "not_an_object"),
        ({"type": "identify", "userId": "ada", "traits": "x"}, "not_an_object"),
        ({"type": "group", "userId": "ada"}, "no_group_id"),
        ({"type": "alias", "userId": "ada"}, "no_alias"),
        ({"type": "alias", "anonymousId": "a1", "previousId": "b"}, "no_alias"),
        ({"type": "alias", "userId": "ada", "previousId": "undefined"}, "bad_id"),
    ],
)
def test_what_can_never_be_taken_is_refused(payload: object, code: str) -> None:
    """With a word for programs and a sentence for people."""
    assert refused(payload).code == code
    assert refused(payload).problem


@pytest.mark.parametrize(
    ("own", "shared", "taken"),
    [
        ({"All": False}, {}, False),
        ({"All": False, "Mixpanel": True}, {}, False),
        ({"All": False, "Hairspring": True}, {}, True),
        ({"All": False, "Segment.io": {"apiHost": "here"}}, {}, True),
        ({"All": True, "Hairspring": False}, {}, False),
        ({}, {"All": False}, False),
        ({"All": True}, {"All": False}, True),
        ({"Mixpanel": False}, {}, True),
        ("no", {}, True),
    ],
)
def test_integrations_may_keep_a_call_from_us(own: Any, shared: Any, taken: bool) -> None:
    """A call for no destination, or not for this one, is not processed."""
    call = {"type": "track", "event": "X", "userId": "ada", "integrations": own}
    if taken:
        assert made(call, integrations=shared).name == "X"
    else:
        assert refused(call, integrations=shared).code == "not_for_us"


def test_deep_nesting_is_refused_and_no_error() -> None:
    """Also where it is too deep to be written again."""
    deep: Any = {}
    for _ in range(900):
        deep = {"a": deep}
    call = {"type": "track", "event": "X", "userId": "ada", "properties": deep, "messageId": "m"}
    assert refused(call).code == "too_deep"
    assert refused(call).message_id == "m"
