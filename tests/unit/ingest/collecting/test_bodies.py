"""Bodies of requests, sound and damaged."""

from __future__ import annotations

import gzip
import json

import pytest
from hairspring.services.ingest.collecting.bodies import (
    BadBody,
    Damaged,
    TooLarge,
    read_batch,
    read_single,
    unpacked,
)
from hairspring.services.ingest.collecting.splitting import split


def test_a_batch_says_some_things_once() -> None:
    """The context, the integrations, when it was sent, and the key."""
    body = read_batch(
        b'{"batch": [{"a": 1}, 7], "sentAt": "now", "writeKey": "k", "context": {"ip": "::1"},'
        b' "integrations": {"All": true}}'
    )
    assert body.payloads == [{"a": 1}, 7]
    assert (body.envelope.sent_at, body.envelope.write_key) == ("now", "k")
    assert (body.envelope.context, body.envelope.integrations) == ({"ip": "::1"}, {"All": True})


def test_the_key_may_be_in_the_calls() -> None:
    """Of a batch the first call counts."""
    assert read_batch(b'{"batch": [{"writeKey": "k"}]}').envelope.write_key == "k"
    assert read_single(b'{"writeKey": "k"}').envelope.write_key == "k"


BAD_CALLS = {
    "not a number": b'{"type":"track","properties":{"x":NaN}}',
    "infinite": b'{"x":1e400}',
    "deep": b'{"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "no JSON": b"{'type': 1}",
    "nothing": b"",
    "many digits": b'{"x":' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_a_damaged_call_harms_no_other(name: str) -> None:
    """The calls before and after it are read, and the envelope too."""
    calls = b'{"a":"],}"},' + BAD_CALLS[name] + b',{"b":"\\"batch\\":["}'
    body = read_batch(b'{"sentAt":"now","batch":[' + calls + b'],"writeKey":"k"}')
    assert body.payloads[0] == {"a": "],}"}
    assert body.payloads[2] == {"b": '"batch":['}
    assert isinstance(body.payloads[1], Damaged), body.payloads[1]
    assert (body.envelope.sent_at, body.envelope.write_key) == ("now", "k")


@pytest.mark.parametrize(
    ("call", "read"),
    [
        (b'{"e":"cut \\ud83d"}', {"e": "cut �"}),
        (b'{"e":"whole \\ud83d\\ude00"}', {"e": "whole 😀"}),
        (b'{"e":"bytes \xff"}', {"e": "bytes �"}),
        (b'{"e":"nul \\u0000"}', {"e": "nul \0"}),
        (b'{"e":1,"e":2}', {"e": 2}),
        (b'{"e":9007199254740993}', {"e": 2**53 + 1}),
        (b'{"e":123456789012345678901234567890}', {"e": 1.2345678901234568e29}),
    ],
)
def test_text_that_is_damaged_is_mended(call: bytes, read: dict[str, object]) -> None:
    """Half an emoji becomes U+FFFD, the last of two equal keys counts, whole numbers are exact."""
    assert read_single(call).payloads == [read]
    assert read_batch(b'{"batch":[' + call + b"]}").payloads == [read]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"7", b"{", b'{"batch": [', b"\xff\x00"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    """Both as a single call and as a batch."""
    with pytest.raises(BadBody, match=r"JSON"):
        read_single(body)
    with pytest.raises(BadBody, match=r"JSON"):
        read_batch(body)


@pytest.mark.parametrize("body", [b"{}", b'{"batch": {}}', b'{"batch": null, "x": NaN}'])
def test_a_batch_needs_a_list(body: bytes) -> None:
    """The list is named in the answer, unless the body itself is no JSON."""
    with pytest.raises(BadBody):
        read_batch(body)


def test_too_many_calls_are_not_read_one_by_one() -> None:
    """A body that is no JSON and looks like a million calls is given up at once."""
    with pytest.raises(BadBody, match="at most 2500"):
        read_batch(b'{"batch":[' + b"," * 1_000_000 + b"]}")


def test_splitting_finds_what_a_reader_finds() -> None:
    """Of sound JSON it gives the calls as they stand, also an empty list."""
    calls = [{"a": [1, {"b": "x,]"}]}, "text", 3, [[]], {}]
    parts = split(json.dumps({"x": {"batch": [0]}, "batch": calls, "y": ["z"]}).encode())
    assert parts is not None
    assert [json.loads(part) for part in parts[1]] == calls
    assert json.loads(parts[0]) == {"x": {"batch": [0]}, "batch": [], "y": ["z"]}
    assert split(b'{"batch": [ ]}') == (b'{"batch": []}', [])
    assert split(b'{"batch": ["\\"' + b'\\"' * 50_000) is None


def test_gzip_without_a_header_is_unpacked_within_bounds() -> None:
    """A bomb is given up once it is larger than may be; damage is told."""
    assert unpacked(gzip.compress(b"{}"), 100) == b"{}"
    assert unpacked(b"{}", 1) == b"{}"
    with pytest.raises(TooLarge):
        unpacked(gzip.compress(b"0" * 10_000_000), 1_000)
    for damaged in (b"\x1f\x8bnonsense", gzip.compress(b"{}" * 100)[:-9]):
        with pytest.raises(BadBody, match="unpacked"):
            unpacked(damaged, 1_000)
