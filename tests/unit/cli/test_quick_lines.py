"""The quick reading of common lines."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hairspring.cli import event_files, segment_spec
from hairspring.cli.quick_lines import quick, taken
from hairspring.cli.segment_spec import Event
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shared_data import shared_data

COMMON: dict[str, Any] = {
    "type": "track",
    "messageId": "m1",
    "userId": "ada",
    "event": "Product Added",
    "timestamp": "2022-07-31T22:00:00.025Z",
    "properties": {"price": 20},
}
TIMES = st.sampled_from(
    [
        *("2022-07-31T22:00:00.025Z", "2022-07-31T22:00:00Z", "2022-07-31t22:00:00z", "2022-07-31"),
        *("2022-07-31T22:00:00.0259999Z", "2022-07-31T22:00:00+02:00", " 2022-07-31T22:00:00Z"),
        *("2022-07-31T22:00:00", "2022-07-31 22:00:00Z", "2022-07-31ß22:00:00Z", "2022-W30-7T22Z"),
        *("20220731T220000Z", "20220731ßT2200Z", "0001-01-01T00:00:00+01:00", "2022-W30-7t22:00Z"),
        *("9999-12-31T23:59:59.999-01:00", "+058000-01-01T00:00:00Z", "1969-12-31T23:59:59.9999Z"),
        *("2022-02-30T00:00:00Z", "２０22-07-31T22:00:00Z", "2022-07-31T24:00:00Z", "T", "soon"),
        *(1659304800, 1659304800025, -1, 1.5),
    ]
)
TEXTS = st.sampled_from(["ada", "", " ", "\u2003", "x" * 255, "x" * 256, "\ufeff", "é", "\0"])
VALUES = st.one_of(
    TIMES,
    TEXTS,
    st.sampled_from(["track", "TRACK", "identify", "page", "screen", "group", "import_finished"]),
    st.sampled_from([None, True, False, 0, 7, 2**63, -(2**63), 0.5, [], {}, {"a": None}, ["x"]]),
)
KEYS = st.sampled_from(
    [
        *("type", "messageId", "userId", "anonymousId", "event", "timestamp", "originalTimestamp"),
        *("properties", "context", "traits", "name", "acceptedAt", "position", "importId", "shard"),
    ]
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Lines near the common shape: a few keys changed, left out, doubled; bytes damaged."""
    document = dict(COMMON)
    if draw(st.booleans()):
        document["timestamp"] = draw(TIMES)
    if draw(st.booleans()):
        document.update(draw(st.dictionaries(KEYS, VALUES, max_size=2)))
    if draw(st.integers(0, 4)) == 0:
        document.pop(draw(KEYS), None)
    line = orjson.dumps(document)
    if draw(st.integers(0, 2)) == 0:
        twice = orjson.dumps({draw(KEYS): draw(VALUES)})
        line = line[:-1] + b"," + twice[1:]
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(line)))
        bits = (b"\xff", b"\\ud800", b"NaN", b"1e999", b"01", b"\0", b" ", b"}", b'"', b"1" * 30)
        line = line[:at] + draw(st.sampled_from(bits)) + line[at:]
    return line + draw(st.sampled_from([b"\n", b"\r\n", b""]))


def check(line: bytes) -> bool:
    """Tell whether a line was read quickly; then it was read as the Segment spec says."""
    found = quick(line)
    if found is None:
        return False
    event = segment_spec.read(line)
    assert isinstance(event, Event), event
    assert found == taken(event)
    # Equal is not enough: 1 == 1.0 == True.
    assert repr(found) == repr(taken(event))
    # What it has no place for is not there.
    assert (event.accepted_at, event.position, event.import_id) == (None, None, "")
    assert (event.original_time, event.remark) == (None, "")
    return True


@given(lines())
def test_reads_as_the_segment_spec_says(line: bytes) -> None:
    """Whatever is read quickly is read as it is read thoroughly, and without a remark."""
    check(line)


@given(st.binary(max_size=40))
def test_raises_nothing(line: bytes) -> None:
    """Any bytes are read, or left to the thorough reading."""
    check(line)


def test_real_payloads() -> None:
    """Payloads of every odd shape are read quickly as thoroughly, and many are."""
    found = shared_data("segment-payloads/payloads.jsonl").read_bytes().splitlines()
    assert sum(map(check, found)) > 100


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"timestamp": "2022-07-31T22:00:00Z"},
        {"timestamp": "2022-08-01T00:00:00.025+02:00"},
        {"context": {"ip": "::1"}, "properties": None},
        {"anonymousId": "a1", "integrations": {}, "sentAt": "soon", "version": 2},
    ],
)
def test_the_common_shapes_are_quick(changes: dict[str, Any]) -> None:
    """What most senders write is read quickly."""
    assert check(orjson.dumps({**COMMON, **changes}))


def test_an_endless_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that may have been cut is left to the thorough reading, which says so."""
    monkeypatch.setattr("hairspring.cli.quick_lines.LONGEST_LINE", 50)
    assert event_files.LONGEST_LINE > 50
    assert not check(orjson.dumps(COMMON))
