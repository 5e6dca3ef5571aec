"""Pictures that are calls, and what browsers ask first."""

from __future__ import annotations

import base64
import json

import pytest
from hairspring.services.ingest.collecting.bodies import BadBody
from hairspring.services.ingest.collecting.pixel import read_query
from hairspring.services.ingest.collecting.sources import base_url, segment_settings, source_config


def test_a_query_is_a_call() -> None:
    """Dots lead inside; the key is not a part of the call."""
    body = read_query(
        [("writeKey", "k"), ("userId", "ada"), ("event", "opened"), ("properties.order.id", "7")]
    )
    assert body.envelope.write_key == "k"
    assert body.payloads == [
        {"userId": "ada", "event": "opened", "properties": {"order": {"id": "7"}}}
    ]


def test_a_query_may_hold_a_whole_call() -> None:
    """As base64 in `data`, in either alphabet."""
    call = {"userId": "ada", "event": "o?>pened", "writeKey": "k"}
    plain = json.dumps(call).encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        body = read_query([("data", encode(plain).decode().rstrip("=")), ("event", "closed")])
        assert body.payloads[0]["event"] == "closed"
        assert body.envelope.write_key == "k"
    with pytest.raises(BadBody):
        read_query([("data", "%%%")])


@pytest.mark.parametrize(
    ("setting", "forwarded", "host", "expected"),
    [
        ("", "", "shop.example:7300", "http://shop.example:7300"),
        ("", "https, http", "shop.example", "https://shop.example"),
        ("", "javascript", "[::1]:7300", "http://[::1]:7300"),
        ("https://in.example/x/", "", "shop.example", "https://in.example/x"),
        ("", "", 'a"b<c>', "http://localhost"),
    ],
)
def test_our_own_address(setting: str, forwarded: str, host: str, expected: str) -> None:
    """The setting, else the Host that was asked for."""
    found = base_url(setting=setting, scheme="http", forwarded=forwarded, host=host)
    assert found == expected


def test_browsers_are_sent_to_us() -> None:
    """Both kinds of settings name the address and the key."""
    segment = segment_settings("k", "https://in.example")["integrations"]["Segment.io"]
    assert (segment["apiKey"], segment["apiHost"]) == ("k", "in.example/v1")
    assert segment["protocol"] == "https"
    source = source_config("k", "https://in.example")["source"]
    assert (source["writeKey"], source["enabled"], source["destinations"]) == ("k", True, [])
