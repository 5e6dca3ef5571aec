"""Rebuilds are folded a few at a time."""

from __future__ import annotations

from dataclasses import replace

from hairspring.engine.events import Event
from hairspring.services.rule_evaluator.work import (
    EVENTS_OF_A_PROFILE,
    MOST_EVENTS_A_FOLDING,
    History,
    portions,
)
from hairspring.store.port import FILL, Key, Rebuild


def _rebuild(name: str) -> Rebuild:
    return Rebuild(key=Key(1, "default", name), cause=FILL, position=9)


async def test_long_histories_stand_alone_and_short_ones_together() -> None:
    """Each is folded once, in their order, with what was read of it."""
    most, each = MOST_EVENTS_A_FOLDING, EVENTS_OF_A_PROFILE
    half, rest = most // 2 - each, most - 3 * each
    lengths = {"a": half, "b": half, "c": 1, "d": 3 * most, "e": 0, "f": rest}
    ready = [_rebuild(name) for name in (*lengths, "unread")]
    event = Event("Product Added", 1, 1, 1)
    histories = {
        one: History(events=[event] * lengths[one.key.profile])
        for one in ready
        if one.key.profile in lengths
    }

    found = list(portions(ready, histories))

    names = [[one.key.profile for one in folding.todo] for folding in found]
    assert names == [["a", "b"], ["c"], ["d"], ["e", "f", "unread"]]
    assert {k: v for folding in found for k, v in folding.histories.items()} == histories


async def test_what_was_read_for_an_earlier_fill_is_none_of_a_later_one() -> None:
    """A fill that is begun anew further on in the log has a longer history."""
    earlier = _rebuild("a")
    later = replace(earlier, position=20)
    [folding] = portions([earlier], {earlier: History(events=[Event("Product Added", 1, 1, 1)])})

    assert earlier in folding.histories
    assert later not in folding.histories


async def test_nothing_makes_no_portion() -> None:
    """Where nothing waits there is nothing to fold."""
    assert list(portions([], {})) == []
