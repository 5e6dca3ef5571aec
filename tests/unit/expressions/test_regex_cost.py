import pytest
from hairspring.expressions.regex_cost import regex_cost


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("a", "ab"),
        ("a", "a{5}"),
        ("a{5}", "a{6}"),
        ("a{5}", "a{1,6}"),
        ("(ab){3}", "(ab){4}"),
        ("(a{9}){9}", "(a{9}){10}"),
        ("(a{9}){9}", "(a{9}b){9}"),
        ("[a-z]", "[^a-z]"),
        ("[a-z]", r"\pL"),
        ("[a-z]{3}", "[a-z]{4}"),
        (r"\{1000\}", "a{1000}"),
        ("[{1000}]", "a{1000}"),
        ("(a|b)", "(a|b){1000}"),
    ],
)
def test_what_compiles_to_more_costs_more(less: str, more: str) -> None:
    """A longer program and more repetitions cost more; what only looks like them does not."""
    assert regex_cost(less).each_character < regex_cost(more).each_character
    assert regex_cost(less).compiling < regex_cost(more).compiling


@pytest.mark.parametrize("pattern", ["(", ")", "[", "{", "a{", "\\", "a{2,1}", "(((", "*", "a{9,}"])
def test_any_pattern_has_a_cost(pattern: str) -> None:
    """What is no regular expression is estimated as well."""
    assert regex_cost(pattern).compiling > 0
