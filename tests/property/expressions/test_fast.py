"""The translation of the commonest expressions, held against the library."""

import json
import math
from typing import Any

import pytest
from hairspring.engine.events import Event
from hairspring.expressions import compile_traits, compile_where
from hairspring.expressions.cel import compiled_traits, compiled_where
from hairspring.expressions.fast import translated
from hypothesis import given, settings
from hypothesis import strategies as st

#: Numbers that are equal, or nearly, in one type and not in another.
WHOLE = [0, 1, -1, 2, 39, 2**53, 2**53 + 1, 2**63 - 1, 2**63 - 2, -(2**63), -(2**63) + 1]
BEYOND = [2**63, 2**63 + 1, 2**64 - 1, 2**64, -(2**63) - 1, 10**30, 10**400, -(10**400)]
DECIMAL = [0.0, -0.0, 1.0, 1.5, -1.0, 39.0, 2.0**53, 2.0**63, -(2.0**63), 1e30, 5e-324]
TEXTS = ["", "a", "b", "ab", "A", "1", "true", "é", "\ud7ff", "\ue000", "\ufffc"]
ODD_TEXTS = ["\ud800", "\udfff", "a\ud800", "\ufffd", "😀", "\ud83d\ude00"]
KEYS = ["a", "b", "c", "odd key"]

scalars = (
    st.sampled_from([*WHOLE, *BEYOND, *DECIMAL, *TEXTS, *ODD_TEXTS, True, False, None])
    | st.sampled_from([math.nan, math.inf, -math.inf])
    | st.integers(-3, 3)
    | st.floats()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=5,
)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)

constants = st.one_of(
    st.sampled_from([*WHOLE, *DECIMAL]).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from([*TEXTS, "\ufffd", "😀"]).map(lambda it: json.dumps(it, ensure_ascii=False)),
    st.sampled_from(["true", "false", "null", "1u", "18446744073709551615u", "b'a'"]),
)


@st.composite
def paths(draw: st.DrawFn, roots: list[str]) -> str:
    """A path of one or two steps mostly, such as `properties.a["odd key"]`."""
    steps = st.sampled_from([".a", ".b", ".c", "['a']", "['odd key']", "[0]", "[1]", "[-1]"])
    return draw(st.sampled_from(roots)) + "".join(draw(st.lists(steps, min_size=1, max_size=3)))


def expressions(roots: list[str]) -> st.SearchStrategy[str]:
    """Expressions of the shapes that are translated."""
    path = paths(roots)
    signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    listed = st.lists(constants, max_size=4).map(lambda its: f"[{', '.join(its)}]")
    shapes = (
        st.builds("{} {} {}".format, path, signs, constants)
        | st.builds("{} {} {}".format, constants, signs, path)
        | st.builds("{} in {}".format, path, listed)
        | st.builds("{} in {}".format, constants, path)
        | st.builds("has({}.{})".format, path, st.sampled_from(["a", "b"]))
        | st.builds("has({}.{})".format, st.sampled_from(roots), st.sampled_from(["a", "b"]))
        | path
        | st.sampled_from(["true", "false"])
    )
    return st.recursive(
        shapes,
        lambda inner: (
            st.builds("({}) && ({})".format, inner, inner)
            | st.builds("({}) || ({})".format, inner, inner)
            | st.builds("!({})".format, inner)
        ),
        max_leaves=5,
    )


def sound(text: str, compiled: Any) -> Any:
    """The library's judgement; None where the expression does not compile."""
    try:
        return compiled(text)
    except ValueError:
        return None


@pytest.mark.parametrize(
    "shape", ["p == c", "p != c", "p < c", "p <= c", "c < p", "c <= p", "p in [c]"]
)
def test_every_pair_is_compared_as_by_the_library(shape: str) -> None:
    """Each value with each constant, ties across types included."""
    decimals = [repr(it) for it in DECIMAL]
    texts = [json.dumps(it, ensure_ascii=False) for it in TEXTS]
    all_values: list[Any] = [*WHOLE, *BEYOND, *DECIMAL, *TEXTS, *ODD_TEXTS, True, False, None]
    all_values += [math.nan, math.inf, -math.inf, [], [1], {}, {"a": 1}]
    events = [Event("a", 1, 1, 1, properties={"p": it}) for it in all_values]
    compared = 0
    for constant in [*map(repr, WHOLE), *decimals, *texts, "true", "false", "null"]:
        text = shape.replace("p", "properties.p").replace("c", constant)
        compiled = sound(text, compiled_where)
        for event in events if compiled is not None else ():
            compared += 1
            assert compile_where(text)(event) is compiled.holds(event), (text, event)
            assert compile_where(f"!({text})")(event) is compiled_where(f"!({text})").holds(event)
    assert compared > 1_000


@given(
    expressions(["properties", "properties", "context"]),
    st.lists(st.tuples(objects, objects), min_size=1, max_size=8),
)
@settings(max_examples=800, deadline=None)
def test_events_are_judged_as_by_the_library(
    text: str, given_values: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    """Whatever an expression asks and an event holds, both give one answer."""
    compiled = sound(text, compiled_where)
    if compiled is None:
        return
    fast, negated = compile_where(text), compile_where(f"!({text})")
    library_negated = compiled_where(f"!({text})").holds
    for properties, context in given_values:
        event = Event("a", 1, 1, 1, properties=properties, context=context)
        assert fast(event) is compiled.holds(event), (text, event)
        assert negated(event) is library_negated(event), (text, event)


@given(expressions(["traits"]), st.lists(objects, min_size=1, max_size=8))
@settings(max_examples=500, deadline=None)
def test_traits_are_judged_as_by_the_library(text: str, traits: list[dict[str, Any]]) -> None:
    """Likewise for the traits of a profile."""
    compiled = sound(text, compiled_traits)
    if compiled is None:
        return
    for it in traits:
        assert compile_traits(text)(it) is compiled.holds(it), (text, it)


@given(
    st.sampled_from(["event.name", "event.message_id"]),
    st.sampled_from(["==", "!=", "<", ">="]),
    st.sampled_from([*TEXTS, "\ufffd", "😀"]),
    # The library cuts a text off at a NUL.
    st.sampled_from([*TEXTS, *ODD_TEXTS])
    | st.text(st.characters(exclude_characters="\0"), max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_names_are_judged_as_by_the_library(root: str, sign: str, text: str, name: str) -> None:
    """Likewise for the name and the id of an event."""
    where = f"{root} {sign} {json.dumps(text, ensure_ascii=False)}"
    event = Event(name, 1, 1, 1, message_id=name)
    assert compile_where(where)(event) is compiled_where(where).holds(event)


@pytest.mark.parametrize(
    "text",
    [
        "properties.price >= 20.0",
        "20 < properties.price && properties.price != 21",
        "properties.category in ['clocks', 'bells'] || !properties.member",
        "properties.n in [1, 'a', null, true, 2.5]",
        "has(properties.coupon) && properties['list price'] == null",
        "context.page.path == '/cart' || event.name == 'x'",
        "'vip' in properties.tags && properties.items[0].sku == 'a'",
    ],
)
def test_the_commonest_shapes_are_translated(text: str) -> None:
    """None of them is left to the library."""
    assert translated(compiled_where(text).tree) is not None


@pytest.mark.parametrize(
    "text",
    [
        "properties.a == properties.b",
        "properties.a + 1 == 2",
        "properties.a == 1u",
        "properties.name == '😀'",
        "properties.tags.exists(it, it == 'a')",
        "event.time > timestamp(0)",
        "size(properties.a) == 1 && properties.b == 1",
    ],
)
def test_other_shapes_are_left_to_the_library(text: str) -> None:
    """Rather than to answer nearly the same, the translation declines."""
    assert translated(compiled_where(text).tree) is None


@pytest.mark.parametrize("odd", [{1}, b"a", object(), type("Text", (str,), {})("a")])
def test_values_that_json_has_not_are_left_to_the_library(odd: object) -> None:
    """While it runs, too."""
    for text in ("properties.a == 'a'", "properties.a in [1]", "!has(properties.a.b)"):
        event = Event("a", 1, 1, 1, properties={"a": odd})
        assert compile_where(text)(event) is compiled_where(text).holds(event)
