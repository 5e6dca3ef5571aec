from typing import Any

import pytest
from hairspring.expressions import BadExpression, compile_traits, unset_traits


@pytest.mark.parametrize(
    ("text", "traits", "holds"),
    [
        ("traits.plan == 'gold'", {"plan": "gold"}, True),
        ("traits.plan == 'gold'", {"plan": "tin"}, False),
        ("traits.plan == 'gold'", {}, False),
        ("traits.plan != 'gold'", {}, False),
        ("traits.age >= 18", {"age": 18.0}, True),
        ("traits.age >= 18", {"age": "18"}, False),
        ("traits.member", {"member": True}, True),
        ("traits.member", {"member": "true"}, False),
        ("traits.member", {"member": 1}, False),
        ("'vip' in traits.tags", {"tags": ["vip"]}, True),
        ("'vip' in traits.tags", {"tags": []}, False),
        ("traits['first name'] == 'Ada'", {"first name": "Ada"}, True),
        ("traits.address.city == 'Bern'", {"address": {"city": "Bern"}}, True),
        ("has(traits.plan)", {"plan": None}, True),
        ("traits.plan == 'gold' || traits.age > 1", {"age": 2}, True),
    ],
)
def test_traits_are_judged_as_cel_says(text: str, traits: dict[str, Any], holds: bool) -> None:
    """Only what is true of the traits holds; an unset trait or a wrong type does not raise."""
    assert compile_traits(text)(traits) is holds


@pytest.mark.parametrize("odd", [2**64, 10**400, "\ud800", {"\udfff": 1}, {1: 2}, b"x", object()])
def test_an_odd_trait_does_not_spoil_the_others(odd: object) -> None:
    """What CEL cannot take is mended, and the rest of the traits is judged as ever."""
    assert compile_traits("traits.age > 1")({"age": 2, "odd": [odd]}) is True


def test_a_mapping_that_changes_is_read_anew() -> None:
    """A predicate keeps nothing of the traits it has seen."""
    traits: dict[str, object] = {"plan": "gold"}
    holds = compile_traits("traits.plan == 'gold'")
    assert holds(traits) is True
    traits["plan"] = "tin"
    assert holds(traits) is False


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("traits.plan =", 1, 13, "`==`"),
        ("true &&\n properties.plan == 1", 2, 12, "'properties.plan' is not known here"),
        ("event.name == 'x'", 1, 6, "there is traits, such as traits.plan"),
        ("1 + 1", 1, 1, "must be true or false"),
        ("", 1, 1, "is empty"),
    ],
)
def test_bad_expressions_are_refused(text: str, line: int, column: int, words: str) -> None:
    """What does not compile is refused in words, at its place, by both."""
    for compiled in (compile_traits, lambda text: unset_traits(text, {})):
        with pytest.raises(BadExpression) as caught:
            compiled(text)
        assert (line, column) == (caught.value.line, caught.value.column)
        assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "unset"),
    [
        ("traits.plan == 'gold'", ("traits.plan",)),
        ("traits.age > 1", ()),
        ("traits.age > 1 && traits.b == 1 || traits.a == 1 && traits.b > 2", ("b", "a")),
        ("traits['first name'] == traits['a']", ('traits["first name"]', "traits.a")),
        ("traits.`odd-key` == 1", ('traits["odd-key"]',)),
        ("has(traits.plan)", ()),
        ("has(traits.plan) && traits.plan == 'gold'", ("traits.plan",)),
        ("has(traits.address.city)", ("traits.address",)),
        ("traits.home.city == 'Bern'", ()),
        ("traits.home.street == 'x'", ("traits.home.street",)),
        ("traits.age.years == 1", ("traits.age.years",)),
        ("traits.tags[0] == 'x' || traits.tags[1] == 'y'", ("traits.tags[1]",)),
        ("traits['tags'][-1] == 'y'", ("traits.tags[-1]",)),
        ("traits.orders.exists(it, it.total > traits.least)", ("traits.orders", "traits.least")),
        ("traits.tags.exists(traits, traits.plan == 'x')", ()),
        ("[traits].all(traits, traits.plan == 'x') && traits.none == 1", ("traits.none",)),
        ("traits[traits.key] == 1", ("traits.key",)),
        ("'traits.plan' == 'x' // traits.plan", ()),
        ("{'a': traits.x}[string(traits.y)] == [traits.z]", ("x", "y", "z")),
        ("size(traits) > 1 || 'plan' in traits", ()),
    ],
)
def test_unset_traits_are_told(text: str, unset: tuple[str, ...]) -> None:
    """Every path that is read and not there is told once, in the order of the text."""
    traits = {"age": 3, "tags": ["x"], "home": {"city": "Bern"}}
    expected = tuple(it if it.startswith("traits") else f"traits.{it}" for it in unset)
    assert unset_traits(text, traits) == expected
