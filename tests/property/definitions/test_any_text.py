"""Whatever is handed in, the answer is a catalog or problems."""

import pytest
from hairspring.definitions import (
    BadDefinitions,
    Catalog,
    Manifest,
    Problem,
    catalog_from_bodies,
    changes,
    load,
)
from hairspring.definitions.changes import ChangeType
from hairspring.engine.events import Event
from hairspring.expressions import BadExpression, compile_where
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.definitions.samples import FLOWS, SEGMENTS, loaded

GOOD = SEGMENTS + "---\n" + FLOWS
BITS = st.sampled_from(
    [
        *"{}[]:,-&*!|>'\"%@`#? \n\t\r\0\ufeff\x85\u2028\ud800😀é",
        *("yes", "no", "~", "null", "<<", "---", "...", "&a", "*a", "!!str", "|", ">-", "{{", "{%"),
        *("all", "any", "not", "segment", "performed", "abandoned", "by", "sequence", "kind"),
        *("aggregate", "inactive", "profile", "date", "anniversary", "steps", "of", "fn", "is"),
        *("1h", "0s", "-1", ">= 0", "010", "1:30", "1e400", "9" * 5_000, "2020-01-01", "staff"),
        *("  ", "\n  ", "\n- ", ": ", "\\ud800", '"\\0"', "properties.", "&& 1", "== 'x'"),
    ]
)


def outcome(text: str) -> Catalog | None:
    """Loads a text; whatever else it does than answer is a failure."""
    problems: list[Problem] | None = None
    try:
        catalog = load([Manifest(path="m.yaml", text=text)])
    except BadDefinitions as error:
        problems = error.problems
    if problems is not None:
        assert problems
        lines = text.count("\n") + text.count("\r") + text.count("\x85") + 1
        lines += text.count("\u2028") + text.count("\u2029")
        for problem in problems:
            assert problem.description
            assert problem.manifest_path == "m.yaml"
            assert 0 <= problem.line <= lines
            assert problem.column >= (1 if problem.line else 0)
            problem.description.encode()
            problem.field_path.encode()
        return None
    check_round_trip(catalog)
    return catalog


def check_round_trip(catalog: Catalog) -> None:
    """What was loaded can be stored, rebuilt, planned, and loaded from its own sources."""
    stored = [(it.kind, it.name, it.body_json, it.source) for it in catalog.all()]
    assert catalog == catalog_from_bodies(stored)
    again = load([Manifest(path="s.yaml", text=it.source) for it in catalog.all()])
    assert {ChangeType.UNCHANGED} >= {change.type for change in changes(catalog, again)}
    catalog.plan(version=1)


@given(st.text(max_size=300))
def test_any_text_is_answered(text: str) -> None:
    """Random text makes problems or nothing."""
    outcome(text)


@given(st.lists(BITS, max_size=40).map("".join))
def test_any_pieces_of_yaml_are_answered(text: str) -> None:
    """Pieces of YAML and of the language, in any order, make problems or definitions."""
    outcome(text)


@given(
    st.lists(
        st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), BITS | st.text(max_size=5)),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_change_of_good_definitions_is_answered(edits: list[tuple[int, int, str]]) -> None:
    """Good definitions with anything cut out and put in make problems or definitions."""
    text = GOOD
    for start, length, put in edits:
        text = text[:start] + put + text[start + length :]
    outcome(text)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_value_at_any_place_is_answered(data: st.DataObject) -> None:
    """A line of good definitions whose value is something else makes problems or definitions."""
    lines = GOOD.splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    value = data.draw(
        st.sampled_from(["", "[]", "{}", "[[]]", "{a: b}", "~", "yes", "12", "1.5", "'x'", "1h"])
        | BITS
    )
    lines[number] = lines[number].partition(":")[0] + ": " + value
    outcome("\n".join(lines))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
WHERES = [
    "properties.a == 1 || true",
    "properties.a.b > 1.0",
    "properties.a && context.b",
    "size(properties.a) > 1 || event.time > timestamp(0)",
    "properties.exists(k, properties[k] == 'x') && event.name != ''",
    "double(properties.a) * 2.0 > 3.0",
    "string(properties.a).matches('^[ab]+$')",
    "properties.a[0] in properties.b",
]


@given(
    properties=st.fixed_dictionaries({}, optional={"a": JSON, "b": JSON, "c": JSON}),
    context=st.fixed_dictionaries({}, optional={"b": JSON}),
    name=st.text(max_size=5),
    time=st.integers(-(2**63), 2**63),
)
@settings(max_examples=300, deadline=None)
def test_predicates_never_raise(
    properties: dict[str, object], context: dict[str, object], name: str, time: int
) -> None:
    """Whatever an event holds, a predicate answers true or false, and the same each time."""
    event = Event(
        name=name, time=time, order=1, accepted_at=time, properties=properties, context=context
    )
    for where in WHERES:
        holds = compile_where(where)
        assert holds(event) is holds(event._replace(message_id="m"))
    assert compile_where(WHERES[0])(event) is True


@given(st.lists(BITS | st.sampled_from(list("().&|=<>!?+-*/'\"a1")), max_size=15).map("".join))
def test_any_expression_is_answered(text: str) -> None:
    """A text is compiled to a predicate that answers, or refused with a place."""
    flaws = None
    try:
        holds = compile_where(text)
    except BadExpression as error:
        flaws = error.flaws
    if flaws is None:
        assert holds(Event(name="a", time=1, order=1, accepted_at=1)) in (True, False)
    else:
        assert flaws
        assert all(flaw.line >= 1 and flaw.column >= 1 for flaw in flaws)


def test_the_good_definitions_are_good() -> None:
    """What the mutations start from is sound."""
    check_round_trip(loaded(GOOD))
    with pytest.raises(BadDefinitions):
        loaded(GOOD, GOOD)
