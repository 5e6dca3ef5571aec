from types import MappingProxyType
from typing import Any

import pytest
from hairspring.engine.events import Event
from hairspring.expressions import BadExpression, compile_where


def event(properties: dict[Any, Any] | None = None, **fields: Any) -> Event:
    given = {"name": "Product Added", "time": 1_000, "order": 1, "accepted_at": 1_000, **fields}
    return Event(**given, properties=properties or {})


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        ("properties.price >= 20.0", {"price": 20}),
        ("properties.price >= 20", {"price": 20.5}),
        ("properties.cart.items[1].sku == 'b'", {"cart": {"items": [{"sku": "a"}, {"sku": "b"}]}}),
        ("properties.tags.exists(tag, tag == 'new')", {"tags": ["old", "new"]}),
        ("properties.member", {"member": True}),
        (
            "has(properties.price) && properties['list price'] != null",
            {"price": 1, "list price": 2},
        ),
        ("properties.name.matches('^a.c$')", {"name": "abc"}),
        ("properties.name == 'ä€😀'", {"name": "ä€😀"}),
    ],
)
def test_what_is_true_holds(text: str, properties: dict[str, Any]) -> None:
    """An expression holds for an event that it is true of."""
    assert compile_where(text)(event(properties)) is True


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        ("properties.price >= 20.0", {"price": 19.99}),
        ("properties.price >= 20.0", {}),
        ("properties.price >= 20.0", {"price": "20"}),
        ("properties.price >= 20.0", {"price": None}),
        ("properties.price >= 20.0", {"price": [20]}),
        ("properties.price >= 20.0", {"price": float("nan")}),
        ("properties.member", {"member": "true"}),
        ("properties.member", {"member": 1}),
        ("properties.member", {"member": None}),
        ("properties.member", {"member": {"member": True}}),
        ("properties.a.b.c", {"a": {"b": 1}}),
        ("properties.n / 0 == 1", {"n": 1}),
        ("properties.name.matches('(')", {"name": "("}),
        ("timestamp(properties.at) < event.time", {"at": "yesterday"}),
    ],
)
def test_what_is_not_true_does_not_hold(text: str, properties: dict[str, Any]) -> None:
    """False, an error, and a value that is no boolean do not hold."""
    assert compile_where(text)(event(properties)) is False


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("properties.none || true", True),
        ("true || properties.none", True),
        ("properties.none && false || true", True),
        ("properties.none && false", False),
        ("!(properties.none && false)", True),
        ("properties.none || false", False),
        ("!properties.none", False),
        ("properties.none == 1 || properties.none != 1", False),
    ],
)
def test_errors_are_absorbed_as_in_cel(text: str, holds: bool) -> None:
    """An error beside a true or a false that decides alone is no error."""
    assert compile_where(text)(event()) is holds


def test_the_event_is_known() -> None:
    """Name, time to the millisecond, message and context of the event can be asked for."""
    given = event(
        {"event": {"name": "x"}},
        name="Order Completed",
        time=1_600_000_000_123,
        message_id="m1",
        context={"page": {"path": "/cart"}},
    )
    for text in (
        "event.name == 'Order Completed' && event.message_id == 'm1'",
        "event.time == timestamp('2020-09-13T12:26:40.123Z')",
        "event.time.getHours() == 12",
        "context.page.path.startsWith('/ca')",
        "[properties].exists(event, event.event.name == 'x')",
    ):
        assert compile_where(text)(given), text


@pytest.mark.parametrize("time", [-(10**18), -(10**15), 10**15, 10**18])
def test_times_beyond_the_calendar_do_not_raise(time: int) -> None:
    """A time that no timestamp can say makes an error, which does not hold."""
    assert compile_where("event.time > timestamp(0)")(event(time=time)) is False
    assert compile_where("event.name != ''")(event(time=time)) is True


@pytest.mark.parametrize(
    "odd", [2**64, -(2**63) - 1, 10**400, -(10**400), "\ud800", {"\udfff": 1}, {1: 2}, {1, 2}, b"x"]
)
def test_an_odd_value_does_not_spoil_the_others(odd: object) -> None:
    """What CEL cannot take is mended, and the rest of the event is judged as ever."""
    holds = compile_where("properties.price >= 20.0")
    assert holds(event({"price": 30, "odd": [{"deep": odd}]})) is True
    assert holds(event({"price": 10, "odd": [{"deep": odd}]})) is False
    assert compile_where("event.name != 'x'")(event(name="\ud800", context={"odd": odd})) is True


@pytest.mark.parametrize("odd", [2**64, -(10**400), "\ud800", ["\udfff"], {"\ud800": 1}])
def test_an_odd_value_beside_an_error_does_not_spoil_the_others(odd: object) -> None:
    """An error that is told first does not hide that a value has to be mended."""
    holds = compile_where("context.none + 0 == 1 || has(properties.odd)")
    assert holds(event({"odd": odd})) is True


def test_other_mappings_are_taken() -> None:
    """Values need not stand in a dict."""
    for text in ("properties.a == 1", "properties.a + 0 == 1"):
        given = Event("a", 1, 1, 1, properties=MappingProxyType({"a": 1}))
        assert compile_where(text)(given) is True


def test_large_numbers_are_doubles() -> None:
    """A whole number beyond 64 bits compares as the nearest double."""
    assert compile_where("properties.n > 1e19")(event({"n": 10**20}))
    assert compile_where("properties.n == 9007199254740993")(event({"n": 9007199254740993}))


def test_endless_work_does_not_hold() -> None:
    """An expression that runs into the limit on steps does not hold, and does not raise."""
    text = "properties.l.all(a, properties.l.all(b, properties.l.all(c, a + b + c >= 0)))"
    assert compile_where(text)(event({"l": list(range(300))})) is False


def test_a_deep_value_is_taken() -> None:
    """Deep nesting neither raises nor overflows."""
    deep: Any = 2**70
    for _ in range(900):
        deep = [deep]
    assert compile_where("properties.price > 1")(event({"price": 2, "deep": deep})) is True


def test_each_event_is_judged_by_its_own_values() -> None:
    """Expressions that share the values of an event never see those of another one."""
    low, high = compile_where("properties.n < 5"), compile_where("properties.n >= 5")
    for n in range(20):
        given = event({"n": n})
        assert (low(given), high(given)) == (n < 5, n >= 5)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("properties.price >=", 1, 20, "ends too early"),
        ("event.name == 1", 1, 12, "`==` does not take (string, int)"),
        ("event.nam == 'x'", 1, 6, "'event.nam' is not known"),
        ("true &&\n  prize > 1", 2, 3, "'prize' is not known"),
        ("properties.a = 1", 1, 14, "`==`"),
        ("properties.a and true", 1, 14, "`&&`"),
        ("properties.a == 'x", 1, 17, "closing quote"),
        ("1 + 1", 1, 1, "must be true or false, this one gives int"),
        ("event.time", 1, 1, "gives"),
        ("", 1, 1, "is empty"),
        ("  \n", 1, 1, "is empty"),
        ("(" * 100 + "true" + ")" * 100, 1, 1, "too deeply"),
        ("true" + " " * 5_000, 1, 1, "at most 4,096"),
        ("'\ud800' == 'a'", 1, 1, "no text"),
        ("'\0' == 'a'", 1, 1, "no text"),
    ],
)
def test_bad_expressions_are_refused(text: str, line: int, column: int, words: str) -> None:
    """What does not compile is refused in words, at its place."""
    with pytest.raises(BadExpression) as caught:
        compile_where(text)
    assert (line, column) == (caught.value.line, caught.value.column)
    assert words in caught.value.message


def test_every_flaw_is_told() -> None:
    """All type errors of an expression are found at once."""
    with pytest.raises(BadExpression) as caught:
        compile_where("event.time == 1 && foo")
    assert [flaw.column for flaw in caught.value.flaws] == [12, 20]


def test_equal_texts_share_a_predicate() -> None:
    """Compiling the same text twice costs nothing."""
    assert compile_where("properties.a == 1") is compile_where("properties.a == 1")
