from typing import Any

import pytest
from hairspring.engine.events import Event
from hairspring.expressions import BadExpression, compile_traits, compile_where

#: As much as an event may hold, and a little of the same.
LARGE: dict[str, Any] = {"l": [0] * 5_000, "s": "a" * 30_000, "big": [["a"] * 1_000] * 5}
SMALL: dict[str, Any] = {"l": [0] * 10, "s": "a" * 30, "big": [["a"] * 2] * 5}

LINE_ITEMS = [
    {"sku": f"s{number}", "name": f"Brass hourglass {number}", "price": 9.5, "tags": ["a", "b"]}
    for number in range(150)
]
CART = {"items": LINE_ITEMS, "wanted": [f"s{number}" for number in range(40)]}


def both(text: str, values: dict[str, Any]) -> tuple[bool, bool]:
    """What is said of an event's properties, and of the same as traits."""
    event = Event("a", 1, 1, 1, properties=values)
    of_traits = compile_traits(text.replace("properties", "traits"))
    return compile_where(text)(event), of_traits(values)


@pytest.mark.parametrize(
    "text",
    [
        "p.l.all(a, p.l.all(b, p.l.all(c, a + b + c >= 0)))",
        "p.l.exists(a, p.l.exists(b, p.l.exists(c, a + b + c > 0))) == false",
        "p.l.all(a, p.l.all(b, p.l.all(c, true)))",
        "p.l.map(a, p.l.map(b, p.l.map(c, c))).size() > 0",
        "p.l.filter(a, a == 0).size() > 0",
        "p.l.map(a, p.l + p.l).size() > 0",
        "p.l.all(a, p.l == p.l && p.l == p.l)",
        "p.big.all(a, p.l.all(b, a == a))",
        "p.l.all(a, !(1 in p.l))",
        "p.l.all(a, p.s + p.s != '')",
        "p.l.all(a, !p.s.contains('b'))",
        "p.l.all(a, !p.s.matches('a*b'))",
        "!p.s.matches('((a{0,30}){0,30}b)')",
        "p.l.all(a, 'x'.matches('(a{0,30}){0,30}'))",
        "[p.s]" + ".map(a, a + a)" * 8 + " != []",
    ],
)
def test_what_would_run_long_does_not_hold(text: str) -> None:
    """An expression that is true of a little is cut off, and does not hold, of very much."""
    text = text.replace("p.", "properties.")
    assert both(text, SMALL) == (True, True)
    assert both(text, LARGE) == (False, False)


@pytest.mark.parametrize(
    "text",
    [
        "properties.l.all(a, a == 0)",
        "properties.l.exists(a, a == 1) == false",
        "properties.l.exists_one(a, a == 1) == false",
        "properties.big.all(a, a.all(b, b == 'a'))",
        "properties.s.size() == 30000 && !properties.s.contains('b')",
        "!properties.s.matches('^[a-z]+@[a-z]+$')",
        "properties.l == properties.l",
        "!(1 in properties.l)",
    ],
)
def test_one_look_at_everything_is_within_the_budget(text: str) -> None:
    """What looks at each value of the largest event once is not cut off."""
    assert both(text, LARGE) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "properties.items.exists(it, it.sku == 's149' && it.price > 9.0)",
        "properties.items.filter(it, it.sku in properties.wanted).size() == 40",
        "properties.items.map(it, it.price).filter(it, it > 9.0).size() == 150",
        "properties.items.all(it, it.tags.exists(tag, tag == 'b'))",
        "properties.wanted.all(sku, properties.items.exists(it, it.sku == sku))",
        "properties.items.exists(it, it.name.matches('^Brass .* 149$'))",
        "properties.items.exists(it, it.name.contains('149'))",
    ],
)
def test_a_long_cart_is_within_the_budget(text: str) -> None:
    """Questions that people ask about carts are answered for a hundred and fifty items, too."""
    assert both(text, CART) == (True, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("'x'.matches('(a{0,30}){0,33}(a{0,1000}){1,2}')", "would run too long"),
        (" == ".join(["[1]" + ".map(a, [a, a, a, a])" * 12] * 2), "would run too long"),
        ("properties.s.matches(properties.pattern)", "a pattern in quotes"),
        ("properties.l.exists(a, 'b'.matches(a))", "a pattern in quotes"),
    ],
)
def test_what_would_always_run_long_is_refused(text: str, words: str) -> None:
    """It is refused when it is compiled, with a reason."""
    for compiled, name in ((compile_where, "properties"), (compile_traits, "traits")):
        with pytest.raises(BadExpression, match=words):
            compiled(text.replace("properties", name))
