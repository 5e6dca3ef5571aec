"""No expression and no value makes anything but an answer, or a refusal with a place."""

from collections.abc import Callable
from typing import Any

import pytest
from hairspring.engine.events import Event
from hairspring.expressions import (
    BadExpression,
    Flaw,
    Path,
    compile_path,
    compile_traits,
    compile_where,
    parse_path,
    unset_traits,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.expressions.terms import conditions
from tests.property.expressions.test_fast import objects

EVENT_ROOTS = ["properties", "context", "properties.a", "properties.b", "event.name", "event.time"]
TRAIT_ROOTS = ["traits", "traits.a", "traits.b"]
PIECES = st.sampled_from(
    [
        *"()[]{}.,:?!&|<>=+-*/%'\"\\`#@ \n\t\0\ud800é😀0179u",
        *("properties", "context", "traits", "event", "a", "b", "has(", "size(", "in", "&&", "||"),
        *("==", "!=", ".all(x, ", ".exists(x, ", ".map(x, ", ".filter(x, ", "true", "null", "1.5"),
        *("matches('", "timestamp(", "duration('1h')", "{0,1000}", "(a*)*", "dyn(", "type(", "//"),
        *("1e400", "0x1f", "9" * 30, "r'\\d'", "b'a'", "'''", "[0]", '["a"]', ".a", ".b"),
    ]
)


def compiled(compile_text: Callable[[str], Any], text: str) -> Any:
    """What a text is compiled to, or None where it is refused in order."""
    flaws: tuple[Flaw, ...] = ()
    try:
        return compile_text(text)
    except BadExpression as error:
        flaws = error.flaws
    assert flaws
    assert all(flaw.message and flaw.line >= 1 and flaw.column >= 1 for flaw in flaws)
    return None


@given(conditions(EVENT_ROOTS) | st.lists(PIECES, max_size=15).map("".join), objects, objects)
@settings(max_examples=600, deadline=None)
def test_any_expression_over_events_is_answered(
    text: str, properties: dict[str, Any], context: dict[str, Any]
) -> None:
    """A text is refused, or answers true or false of any event, twice the same."""
    holds = compiled(compile_where, text)
    if holds is not None:
        event = Event("a", 1, 1, 1, properties=properties, context=context)
        assert holds(event) in (True, False)
        assert holds(event) is holds(event._replace(order=2))


@given(conditions(TRAIT_ROOTS) | st.lists(PIECES, max_size=15).map("".join), objects)
@settings(max_examples=600, deadline=None)
def test_any_expression_over_traits_is_answered(text: str, traits: dict[str, Any]) -> None:
    """A text is refused, or answers true or false of any traits, and says what is unset."""
    holds = compiled(compile_traits, text)
    if holds is not None:
        assert holds(traits) in (True, False)
        assert holds(traits) is holds(dict(traits))
        for path in unset_traits(text, traits):
            assert path.startswith("traits")


@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=20), objects)
@settings(max_examples=500, deadline=None)
def test_any_path_is_answered(text: str, properties: dict[str, Any]) -> None:
    """A text is refused as a path, or gives a value of any event; its own text reads the same."""
    for written in (text, f"properties.{text}", f"context[{text}]"):
        value = compiled(compile_path, written)
        if value is not None:
            value(Event("a", 1, 1, 1, properties=properties, context=properties))
            path = parse_path(written)
            assert parse_path(str(path)) == path


@given(st.lists(st.text(max_size=8) | st.integers(0, 999_999_999), min_size=1, max_size=5))
def test_every_path_can_be_written(steps: list[str | int]) -> None:
    """The text of a path reads as that path, whatever its keys are."""
    path = Path(root="properties", steps=tuple(steps))
    assert parse_path(str(path)) == path


@pytest.mark.parametrize(
    "text", ["true||" * 680 + "true", "!" * 4_000 + "true", "[1].all(a," * 30 + "true" + ")" * 30]
)
def test_long_expressions_are_taken(text: str) -> None:
    """Length alone overflows nothing."""
    assert compile_where(text)(Event("a", 1, 1, 1)) is True
