"""What was read of a profile stays packed until somebody asks, and packs to what it was."""

from __future__ import annotations

from random import Random

import pytest
from hairspring.engine.events import Event
from hairspring.engine.state import ProfileState, SegmentState
from hairspring.engine.step import step
from hairspring.store.encoding import UnreadableState, decode, encode
from hairspring.store.stored import Stored

from tests.benchmarks import definitions
from tests.benchmarks.workload import kinds, pasts

NOW = 1_780_000_000_000


def _some() -> list[bytes]:
    return [past.state for past in pasts(definitions.plan(), now=NOW)][:50]


def test_a_turn_on_what_is_packed_is_a_turn_on_what_is_open() -> None:
    """Opened and packed at every event, a state becomes what it becomes when it stays open."""
    random, plan, known = Random(3), definitions.plan(), kinds()
    for packed in _some():
        state, stored = decode(packed), Stored(state=packed)
        for number in range(20):
            name, properties = random.choice(known)
            time = NOW + number * 50_000
            event = Event(name, time, number + 1, time, properties=properties)
            step(state, event, plan)
            stored.state = step(stored.state, event, plan).state
            assert stored.pack() == encode(state)


def test_what_was_only_looked_at_is_let_go() -> None:
    """Closing keeps what was packed last, and a new profile, which was not, as it is."""
    packed = _some()[0]
    stored = Stored(state=packed, fill=packed)
    stored.state.traits["name"] = (1, 1, "Ada")
    assert stored.fill is not None
    stored.fill.tags["vip"] = (1, 1, True)

    stored.close()

    assert stored.pack() == stored.pack_fill() == packed
    new = Stored(state=ProfileState())
    new.state.traits["name"] = (1, 1, "Ada")
    new.close()
    assert new.state.trait("name") == "Ada"


def test_segments_that_are_gone_are_forgotten() -> None:
    """How a profile stood to a segment that is not known is not there once it is opened."""
    packed = _some()[0]
    names = sorted(decode(packed).segments)
    stored = Stored(state=packed)
    stored.known = names[1:]

    assert sorted(stored.state.segments) == names[1:]
    stored.close()
    assert sorted(stored.state.segments) == names[1:]


def test_segments_that_came_since_stay() -> None:
    """What was packed anew has nothing more to forget, whatever was known when it was read."""
    stored = Stored(state=_some()[0])
    stored.known = ()
    stored.state.segments["new"] = SegmentState(member=True, entered_at=NOW)
    stored.pack()

    assert [*stored.state.segments] == ["new"]


def test_a_fill_comes_and_goes() -> None:
    """What is being filled can be set, is packed by itself, and can be taken away."""
    stored = Stored(state=ProfileState())
    assert stored.fill is None
    assert stored.pack_fill() is None

    stored.fill = ProfileState(clock=7)
    assert stored.pack_fill() == encode(ProfileState(clock=7))
    stored.fill = ProfileState(clock=8)
    assert stored.fill == ProfileState(clock=8)
    assert stored.size == len(encode(ProfileState(clock=7)))

    stored.fill = None
    assert stored.fill is None


def test_damage_is_noticed_when_it_is_opened() -> None:
    """Bytes that are no state can be held, and raise when they are read."""
    stored = Stored(state=b"\x93damaged")

    with pytest.raises(UnreadableState):
        stored.state  # noqa: B018 - reading it opens it
