"""When segments want to be judged."""

from __future__ import annotations

from hairspring.engine.state import ProfileState, SegmentState


def test_the_earliest_moment_that_still_counts() -> None:
    """A segment that changed its mind is asked for at its new moment only."""
    state = ProfileState(segments={"a": SegmentState(until=10), "b": SegmentState(until=20)})
    assert state.alarm() == 10

    state.wake("a", 30)
    assert state.alarm() == 20
    state.wake("b", None)
    assert state.alarm() == 30
    state.put("c", SegmentState(until=5))
    assert state.alarm() == 5


def test_those_due_are_taken_once() -> None:
    """Each once, however often it was noted, and only at its moment."""
    state = ProfileState()
    assert state.alarm() is None
    for until in (9, 7, 9):
        state.put("a", SegmentState(until=until))
    state.put("b", SegmentState(until=12))

    assert state.take_due(8) == []
    assert state.take_due(9) == ["a"]
    assert state.take_due(11) == []


def test_what_was_overtaken_is_not_kept_for_ever() -> None:
    """A moment that is put off at every event leaves no trail."""
    state = ProfileState(segments={"a": SegmentState(until=0)})
    assert state.alarm() == 0
    for until in range(1, 10_000):
        state.wake("a", until)

    assert state.alarm() == 9_999
    assert state._wakes is not None
    assert len(state._wakes._heap) < 100
