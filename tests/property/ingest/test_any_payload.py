"""Whatever is sent, it is taken or refused; it is never an error."""

from __future__ import annotations

import json
from typing import Any

from hairspring.contracts.event.v1 import event_pb2
from hairspring.services.ingest import judging
from hairspring.services.ingest.collecting.bodies import BadBody, read_batch, read_single, unpacked
from hairspring.services.ingest.collecting.kinds import Kind
from hairspring.services.ingest.collecting.normalising import Refused, normalise
from hairspring.services.ingest.collecting.pixel import read_query
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_800_000_000_000
TEXTS = st.text(max_size=8) | st.sampled_from(
    (
        *("track", "Identify", "page", "screen", "group", "alias", "null", "ada", "\0", "\ud83d"),
        *("2026-05-01T10:00:00Z", "+058000-01-01T00:00:00Z", "0001-01-01", "x" * 300),
    )
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**53 + 1, 2**64, 10**400, 1e300])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    *("type", "event", "userId", "anonymousId", "previousId", "groupId", "messageId", "name"),
    *("timestamp", "originalTimestamp", "sentAt", "properties", "traits", "context"),
    *("integrations", "category", "writeKey"),
)
SOUND = st.fixed_dictionaries(
    {"type": st.sampled_from([kind.value for kind in Kind]), "userId": st.just("ada")}
)
CALLS = (
    st.dictionaries(st.sampled_from(KEYS), VALUES)
    | st.tuples(SOUND, st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)).map(
        lambda pair: {**pair[0], **pair[1]}
    )
    | VALUES
)


def judged(body: Any, kind: Kind | None) -> None:
    """Take every call of a body as far as the log."""
    for payload in body.payloads:
        event = normalise(payload, kind=kind, envelope=body.envelope, received_at=NOW)
        if isinstance(event, event_pb2.Event):
            found = judging.judge(event, workspace="default", shards=8, new_id=lambda: "made")
            assert isinstance(found, judging.Sound | judging.Refused)
        else:
            assert isinstance(event, Refused)
            assert event.problem


@given(st.lists(CALLS, max_size=4), VALUES, VALUES, st.sampled_from([*Kind]))
def test_no_payload_raises(calls: list[Any], context: Any, sent_at: Any, kind: Kind) -> None:
    """One by one and in batches, whatever is JSON for somebody."""
    judged(read_batch(json.dumps({"batch": calls}).encode()), None)
    envelope = {"context": context, "integrations": context, "sentAt": sent_at}
    texts = [json.dumps({"batch": calls, **envelope}), *map(json.dumps, calls)]
    for text, read in zip(texts, [read_batch, *[read_single] * len(calls)], strict=True):
        try:
            body = read(text.encode())
        except BadBody:
            continue
        judged(body, None if read is read_batch else kind)


@given(st.binary(max_size=60) | st.lists(st.sampled_from(list(b'{}[],:"\\batch10e')), max_size=40))
def test_no_bytes_raise(data: bytes | list[int]) -> None:
    """What is no JSON is a body that is refused."""
    for read in (read_single, read_batch):
        try:
            judged(read(unpacked(bytes(data), 1_000)), None)
        except BadBody:
            continue


@given(st.lists(st.tuples(st.sampled_from([*KEYS, "data", "properties.a.b"]) | TEXTS, TEXTS)))
def test_no_query_raises(pairs: list[tuple[str, str]]) -> None:
    """A picture's address is a call or is refused."""
    clean = [(name, value.encode("utf-8", "replace").decode()) for name, value in pairs]
    names = [(name.encode("utf-8", "replace").decode(), value) for name, value in clean]
    try:
        judged(read_query(names), Kind.TRACK)
    except BadBody:
        pass
