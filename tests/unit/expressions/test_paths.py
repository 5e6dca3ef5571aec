from typing import Any

import pytest
from hairspring.engine.events import Event
from hairspring.expressions import BadExpression, Path, compile_path, parse_path

EVENT = Event(
    name="Product Added",
    time=1,
    order=1,
    accepted_at=1,
    properties={
        "cart_id": "c1",
        "odd key": 2,
        "null": None,
        "": "empty",
        'it\'s "it"': True,
        "cart": {"total": 9.5, "items": [{"sku": "a"}, {"sku": "b"}]},
        "text": "abc",
    },
    context={"campaign": {"name": "spring"}, "ip": "::1"},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("properties.cart_id", "c1"),
        ("properties['odd key']", 2),
        (' properties["odd key"]\n', 2),
        ('properties["o\\u0064d key"]', 2),
        ('properties[""]', "empty"),
        ("properties['it\\'s \"it\"']", True),
        ("properties.cart.total", 9.5),
        ("properties.cart.items[1].sku", "b"),
        ("properties.cart.items", [{"sku": "a"}, {"sku": "b"}]),
        ("context.ip", "::1"),
        ("context.campaign.name", "spring"),
        ("event.name", "Product Added"),
        ("properties.null", None),
        ("properties.none", None),
        ("properties.none.deeper", None),
        ("properties.null.deeper", None),
        ("properties.text.deeper", None),
        ("properties.text[0]", None),
        ("properties[0]", None),
        ("properties.cart[0]", None),
        ("properties.cart.items.sku", None),
        ("properties.cart.items[2]", None),
        ("properties.cart.items[1].sku.x", None),
        ("context.none", None),
        ("context.none.x", None),
    ],
)
def test_a_path_leads_to_its_value(text: str, value: Any) -> None:
    """A path gives what stands there, and None where nothing does or the shape is another."""
    assert compile_path(text)(EVENT) == value


@pytest.mark.parametrize(
    ("texts", "canonical"),
    [
        (("properties.a", "properties['a']", 'properties["a"]', " properties.a "), "properties.a"),
        (("properties['a b']", 'properties["a\\u0020b"]'), 'properties["a b"]'),
        (("context.a[0]['ä']",), 'context.a[0]["ä"]'),
        (("properties['\"']", 'properties["\\""]'), 'properties["\\""]'),
        (("event.name",), "event.name"),
    ],
)
def test_spellings_of_one_path_are_equal(texts: tuple[str, ...], canonical: str) -> None:
    """All of them make the same value, with one text that reads as that value again."""
    assert {parse_path(text) for text in texts} == {parse_path(canonical)}
    assert str(parse_path(texts[0])) == canonical


def test_a_path_is_its_steps() -> None:
    """Keys are texts and indexes are numbers."""
    path = Path(root="properties", steps=("a", 0, "b c"))
    assert parse_path("properties.a[0]['b c']") == path


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "is empty"),
        ("  ", 1, "is empty"),
        ("cart_id", 1, "begins with properties or context"),
        ("traits.plan", 1, "begins with"),
        ("event.time", 1, "or is event.name"),
        (" event.name.x", 2, "or is event.name"),
        ("properties", 11, "such as properties.name"),
        ("properties.", 12, "follows the point"),
        ("properties.a-b", 13, 'goes on with .name, ["a key"] or [0]'),
        ("properties.0", 12, "follows the point"),
        ("properties.naïve", 14, "goes on with"),
        ("properties.a b", 13, "goes on with"),
        ("properties.a[b]", 14, '"key" in quotes'),
        ("properties.a[-1]", 14, "from 0"),
        ("properties.a[007]", 14, "from 0"),
        ("properties.a['b]", 14, "in quotes"),
        ("properties['\\x']", 12, "as in JSON"),
        ("properties['\\ud800']", 12, "as in JSON"),
        ("properties.a == 1", 13, "goes on with"),
        ("properties." + "a" * 500, 1, "at most 500"),
    ],
)
def test_what_is_no_path_is_refused(text: str, column: int, words: str) -> None:
    """It is refused in words, at its place, by both."""
    for read in (parse_path, compile_path):
        with pytest.raises(BadExpression) as caught:
            read(text)
        assert (caught.value.line, caught.value.column) == (1, column)
        assert words in caught.value.message
