"""Whatever an event holds, the engine goes on, and so does what is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from hairspring.definitions import Manifest, load
from hairspring.engine.events import Event, EventKind
from hairspring.engine.explain import account
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, step
from hairspring.store.encoding import decode, encode
from hairspring.wire.inputs import read_object
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.shop import DEFINITIONS

PLAN = load([Manifest(path=str(Path(__file__).name), text=DEFINITIONS)]).plan()
NAMES = st.sampled_from(
    [
        "Product Viewed",
        "Product Added",
        "Product Removed",
        "Order Completed",
        "",
        "\ud800",
        "é" * 90,
    ]
)
KEYS = st.sampled_from(
    ["product_id", "price", "cart_id", "plan", "visits", "trial_ends", "born", "zone", "tags"]
)
NUMBERS = (1e308, -1e308, 5e-324, -0.0, 2**63, 2**64 - 1, -(2**63), 0.1, 160)
TEXTS = (
    "gold",
    "Asia/Tokyo",
    "0001-01-01",
    "9999-12-31T23:59:59.999Z",
    "2024-02-29",
    "../etc/passwd",
)
ODD = st.sampled_from([*NUMBERS, *TEXTS, "UTC\0", "x" * 300])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | ODD | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
FAR = st.integers(-62_135_596_800_000, 253_402_300_799_999)
NEAR = st.integers(1_700_000_000_000, 1_700_000_010_000)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """An event as the log can hold it."""
    kind = draw(st.sampled_from(list(EventKind)))
    content: dict[str, Any] = draw(st.dictionaries(KEYS, JSON, max_size=5))
    if kind in (EventKind.ADD_TAGS, EventKind.REMOVE_TAGS):
        content = {"tags": draw(st.lists(st.sampled_from(["vip", "new"]), max_size=2))}
    accepted_at = draw(NEAR | FAR)
    return Event(
        name=draw(NAMES) if kind is EventKind.TRACK else "",
        time=min(draw(NEAR | FAR), accepted_at),
        order=draw(st.integers(1, 50)),
        accepted_at=accepted_at,
        kind=kind,
        properties=read_object(orjson.dumps(content)),
    )


@given(st.lists(events(), max_size=12), st.booleans())
@settings(max_examples=150)
def test_no_event_makes_the_engine_raise(given_events: list[Event], forgets: bool) -> None:
    """Any properties, traits and times are judged, kept, read back, and explained."""
    state = ProfileState()
    horizon = 5_000 if forgets else None
    for event in sorted(given_events, key=lambda event: event.accepted_at):
        state = step(state, event, PLAN, horizon=horizon).state
        # As the log does: a moment is passed only when it is over.
        state = step(state, Passed(min(event.accepted_at, event.time + 3)), PLAN).state
        state = decode(encode(state))
    for segment in PLAN.segments:
        account(segment, state, state.clock or 0)
