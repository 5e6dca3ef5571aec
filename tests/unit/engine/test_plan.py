"""The plan."""

from __future__ import annotations

import pytest
from hairspring.engine.conditions import All, InSegment, Not, Performed
from hairspring.engine.events import Event
from hairspring.engine.plan import CircularSegments, Plan
from hairspring.engine.streams import Pattern

from tests.unit.engine.histories import ADD, BUY, event, fold, lines, segment

ANY = Pattern(names=("*",))


def test_segments_come_after_those_they_refer_to() -> None:
    """Whatever the order they are given in, and by name where that leaves a choice."""
    plan = Plan(
        [
            segment(InSegment("z"), "a"),
            segment(Performed(pattern=ADD), "z"),
            segment(Performed(pattern=ADD), "b"),
        ]
    )

    assert [one.name for one in plan.segments] == ["z", "a", "b"]
    assert (plan.number["a"],) == plan.dependents[plan.number["z"]]


def test_circles_are_refused_and_shown() -> None:
    """The error names the way round; a reference to oneself is a circle too."""
    circle = [
        segment(InSegment("b"), "a"),
        segment(Not(InSegment("c")), "b"),
        segment(Performed(pattern=ADD), "c", exit=InSegment("a")),
    ]
    with pytest.raises(CircularSegments, match="a → b → c → a"):
        Plan(circle)
    with pytest.raises(CircularSegments, match="a → a"):
        Plan([segment(InSegment("a"), "a")])


def test_an_unknown_segment_is_refused() -> None:
    """With the names of both."""
    with pytest.raises(ValueError, match="no segment 'staff', which 'carts' refers to"):
        Plan([segment(Not(InSegment("staff")))])


def test_an_event_looks_up_only_what_mentions_it() -> None:
    """A pattern that two segments use is tried once; `*` is tried on every event."""
    plan = Plan(
        [
            segment(Performed(pattern=ADD), "a"),
            segment(All((Performed(pattern=ADD), Performed(pattern=BUY))), "b"),
            segment(Performed(pattern=ANY), "c"),
        ]
    )

    def tried(name: str) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
        filters = plan.filters(event(name, 0))
        return [
            (w.pattern.names, tuple(t.number for t in w.touches))
            for found in filters
            for w in found.watches
        ]

    assert tried("Add") == [(("Add",), (0, 1)), (("*",), (2,))]
    assert tried("Buy") == [(("Buy",), (1,)), (("*",), (2,))]
    assert tried("Unheard Of") == [(("*",), (2,))]


def test_an_expression_is_tried_once_an_event() -> None:
    """However many streams stand behind it."""
    tried: list[str] = []

    def dear(event: Event) -> bool:
        tried.append(event.name)
        return True

    patterns = [
        Pattern(names=("Add",), where="dear", predicate=dear, by=by, group=by and (lambda _: 1))
        for by in (None, "properties.id")
    ]
    plan = Plan(segment(Performed(pattern=p), n) for p, n in zip(patterns, "ab", strict=True))
    fold(plan, event("Add", 0))

    assert tried == ["Add"]


def test_a_first_event_concerns_only_what_holds_of_a_stranger() -> None:
    """Of the others it is known that they ask for something that is not known yet."""
    plan = Plan(
        [
            segment(Performed(pattern=ADD), "a"),
            segment(Not(Performed(pattern=ADD)), "b"),
            segment(InSegment("b"), "c"),
        ]
    )

    assert [plan.segments[number].name for number in plan.at_birth] == ["b"]
    assert lines(fold(plan, event("Came By", 7)).records) == [
        "7 entered b by Came By@7",
        "7 entered c by Came By@7",
    ]
