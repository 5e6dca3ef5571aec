import pytest

from tests.unit.definitions.samples import SEGMENTS, loaded, problems_of, segment, told

DAY = 86_400_000


def test_a_segment_has_a_canonical_form() -> None:
    """Durations are milliseconds, defaults are filled in, names are sorted."""
    body = loaded(SEGMENTS).segments["cart-abandoners"].body
    abandoned = {
        "event": ["Product Added"],
        "where": "properties.price >= 20.0",
        "by": None,
        "unless": {"event": ["Order Completed"], "where": None, "by": None},
        "after": 3_600_000,
        "restart": True,
    }
    assert body == {
        "name": "cart-abandoners",
        "description": "Added to the cart and did not buy within the hour.",
        "enter": {"all": [{"abandoned": abandoned}, {"not": {"segment": "staff"}}]},
        "exit": None,
        "stay": 7 * DAY,
        "cooldown": DAY,
        "max_event_age": 3 * DAY,
    }


def test_performed_has_a_canonical_form() -> None:
    """A bare number compares for equality, one name is a list of one, blanks around go."""
    body = loaded(SEGMENTS).segments["staff"].body
    assert body["exit"]["performed"]["times"] == "== 1"
    counted, anything = (part["performed"] for part in body["enter"]["any"])
    assert counted == {
        "event": ["Clocked In", "Signed In"],
        "where": None,
        "by": None,
        "times": ">= 2",
        "within": 5_400_000,
        "since": {"event": ["Left"], "where": None, "by": None},
    }
    assert anything["where"] == "properties.staff == true\n  || context.staff"
    assert anything["times"] == ">= 1"


def test_a_segment_is_what_the_engine_takes() -> None:
    """The engine's segment says the same as the canonical form, with the plan's versions."""
    catalog = loaded(SEGMENTS)
    assert catalog.segments["cart-abandoners"].segment.stay == 7 * DAY
    plan = catalog.plan(version=4, versions={"staff": 2})
    assert [(it.name, it.version) for it in plan.segments] == [("staff", 2), ("cart-abandoners", 4)]
    assert plan.version == 4


@pytest.mark.parametrize(
    ("enter", "column", "path", "words"),
    [
        ("", 7, "enter", "a condition is a mapping"),
        ("[]", 8, "enter", "not a list"),
        ("{}", 8, "enter", "exactly one of"),
        ("{all: [], any: []}", 8, "enter", "not 'all' and 'any'"),
        ("{al: []}", 9, "enter.al", "did you mean `all`?"),
        ("{all: []}", 14, "enter.all", "is empty"),
        ("{all: {}}", 14, "enter.all", "is a list"),
        ("{not: []}", 14, "enter.not", "a condition is a mapping"),
        ("{sequence: {}}", 19, "enter.sequence", "needs `steps`"),
        ("{sequence: {steps: [{event: A}]}}", 27, "enter.sequence.steps", "`performed`"),
        ("{sequence: {steps: [{event: A}, B]}}", 40, "enter.sequence.steps[1]", "{event: B}"),
        ("{sequence: {steps: [{event: A, by: x}]}}", 39, "enter.sequence.steps[0].by", "beside"),
        ("{sequence: {steps: [], by: x}}", 35, "enter.sequence.by", "begins with properties"),
        ("{inactive: {event: A}}", 19, "enter.inactive", "needs `for`"),
        ("{inactive: {event: A, for: 0s}}", 35, "enter.inactive.for", "more than zero"),
        ("{inactive: A}", 19, "enter.inactive", "{event: A, for: 30d}"),
        ("{profile: x}", 18, "enter.profile", "'x' is not known here"),
        ("{aggregate: {event: A}}", 20, "enter.aggregate", "needs `of`"),
        ("{aggregate: {fn: total}}", 25, "enter.aggregate.fn", "sum, avg, min, max"),
        ("{aggregate: {of: price}}", 25, "enter.aggregate.of", "begins with properties"),
        ("{aggregate: {fn: sum, is: '>= x'}}", 34, "enter.aggregate.is", "'>= 99.5'"),
        ("{aggregate: {fn: sum, is: '== \"x\"'}}", 34, "enter.aggregate.is", "only `first`"),
        ("{aggregate: {fn: last, is: gold}}", 35, "enter.aggregate.is", "a text in quotes"),
        ("{aggregate: {fn: last, is: '= 1'}}", 35, "enter.aggregate.is", "write '=='"),
        ("{aggregate: {fn: sum, is: 1e999}}", 34, "enter.aggregate.is", "a double"),
        ("{aggregate: {fn: count_distinct, is: 1.5}}", 45, "enter.aggregate.is", "whole number"),
        ("{aggregate: {fn: count_distinct, is: '< 0'}}", 45, "enter.aggregate.is", "never hold"),
        ("{date: {trait: birthday}}", 15, "enter.date", "needs `from`"),
        ("{date: {trait: traits.b}}", 23, "enter.date.trait", "alone: 'b'"),
        ("{date: {from: 1d, until: -1d}}", 33, "enter.date.until", "later than `from`"),
        ("{date: {from: --1d}}", 22, "enter.date.from", "one sign"),
        ("{anniversary: {until: 366d}}", 30, "enter.anniversary.until", "at most 365d"),
        (
            "{anniversary: {from: -200d, until: 200d}}",
            43,
            "enter.anniversary.until",
            "always holds",
        ),
        ("{anniversary: {timezone: Mars}}", 33, "enter.anniversary.timezone", "no time zone"),
        ("{anniversary: {timezone: {}}}", 33, "enter.anniversary.timezone", "needs `trait`"),
        ("{performed: A}", 20, "enter.performed", "write `performed: {event: A}`"),
        ("{performed: }", 20, "enter.performed", "is a mapping"),
        ("{performed: {}}", 20, "enter.performed", "needs `event`"),
        ("{performed: {event: 404}}", 28, "enter.performed.event", "put it in quotes"),
        ("{performed: {event: No}}", 28, "enter.performed.event", "put it in quotes"),
        ("{performed: {event: 2020-01-01}}", 28, "enter.performed.event", "a date; put it in"),
        ("{performed: {event: ''}}", 28, "enter.performed.event", "is empty"),
        ('{performed: {event: "a\\0"}}', 28, "enter.performed.event", "no text"),
        ('{performed: {event: "a\\n"}}', 28, "enter.performed.event", "printable"),
        ("{performed: {event: [A, A]}}", 32, "enter.performed.event[1]", "named twice"),
        ("{performed: {event: ['*', A]}}", 28, "enter.performed.event", "every event already"),
        ("{performed: {event: A, by: x}}", 35, "enter.performed.by", "begins with properties"),
        ("{performed: {event: A, by: properties.}}", 46, "enter.performed.by", "follows the point"),
        (
            "{performed: {event: A, since: {event: B, by: properties.x}}}",
            53,
            "enter.performed.since.by",
            "only where its condition has one",
        ),
        (
            "{performed: {event: A, by: properties.x, times: 0}}",
            56,
            "enter.performed.times",
            "with `by`",
        ),
        ("{performed: {event: A, evnt: x}}", 31, "enter.performed.evnt", "did you mean `event`?"),
        ("{performed: {event: A, where: x > 1}}", 38, "enter.performed.where", "'x' is not known"),
        ("{performed: {event: A, where: 'x > 1'}}", 39, "enter.performed.where", "'x' is not"),
        ("{performed: {event: A, where: true}}", 38, "enter.performed.where", "an expression"),
        ("{performed: {event: A, times: x}}", 38, "enter.performed.times", "a comparison"),
        ("{performed: {event: A, times: '= 1'}}", 38, "enter.performed.times", "'== 1'"),
        ("{performed: {event: A, times: 010}}", 38, "enter.performed.times", "octal"),
        ("{performed: {event: A, times: 1.0}}", 38, "enter.performed.times", "a whole number"),
        ("{performed: {event: A, times: '>= 0'}}", 38, "enter.performed.times", "always holds"),
        ("{performed: {event: A, times: '< 0'}}", 38, "enter.performed.times", "never hold"),
        ("{performed: {event: A, times: -1}}", 38, "enter.performed.times", "never hold"),
        ("{performed: {event: A, times: '> -1'}}", 38, "enter.performed.times", "always"),
        ("{performed: {event: A, times: '>1000000001'}}", 38, "enter.performed.times", "at most"),
        ("{performed: {event: A, times: '>= 10001'}}", 38, "enter.performed.times", "at most"),
        ("{performed: {event: A, within: 1}}", 39, "enter.performed.within", "needs a unit"),
        ("{performed: {event: A, since: {by: x}}}", 38, "enter.performed.since", "needs `event`"),
        ("{performed: {event: A, since: {event: [A, B]}}}", 38, "enter.performed.since", "never"),
        ("{abandoned: {event: A}}", 20, "enter.abandoned", "needs `unless`"),
        ("{segment: A}", 18, "enter.segment", "a would do"),
        ("{segment: other}", 18, "enter.segment", "there is no segment other"),
        ("{segment: some}", 18, "enter.segment", "in a circle: some → some"),
    ],
)
def test_bad_conditions_are_refused(enter: str, column: int, path: str, words: str) -> None:
    """What is wrong in a condition is told at its line, column and path, in words."""
    found = problems_of(segment(enter))
    here = [problem for problem in found if problem.field_path == path]
    assert any(words in problem.description for problem in here), found
    assert any((problem.line, problem.column) == (3, column) for problem in here), found


@pytest.mark.parametrize(
    ("ends", "refused"),
    [
        ("{event: A}", True),
        ("{event: [A, B]}", True),
        ('{event: "*"}', True),
        ("{event: A, where: properties.n > 1}", True),
        ("{event: A, where: properties.n > 2}", False),
        ("{event: B}", False),
    ],
)
def test_what_ends_itself_is_refused(ends: str, refused: bool) -> None:
    """An abandonment whose every start is an end as well can never hold."""
    start = "event: A, where: properties.n > 1"
    found = told(segment(f"{{abandoned: {{{start}, unless: {ends}, after: 1h}}}}"))
    assert [path for _, _, path in found] == (["enter.abandoned.unless"] if refused else [])


def test_an_exit_that_shuts_the_entrance_is_refused() -> None:
    """With an `exit` that says the same as `enter`, nobody could ever enter."""
    found = problems_of(segment("{performed: {event: A}}", "exit: {performed: {event: [A]}}\n"))
    assert [problem.field_path for problem in found] == ["exit"]


def test_problems_inside_a_block_have_their_place() -> None:
    """A flaw in an expression that is written as a block is told at its own line and column."""
    text = segment("\n  performed:\n    event: A\n    where: |\n      true &&\n        prize > 1")
    assert told(text) == [(8, 9, "enter.performed.where")]


def test_every_problem_is_told_at_once() -> None:
    """A manifest with many problems is answered with all of them, in the order of the text."""
    text = segment("{all: [{segment: a}, {sequence: x}]}", "stay: 30\nstay: 1d\nstray: 1\n")
    assert told(text) == [
        (3, 25, "enter.all[0].segment"),
        (3, 40, "enter.all[1].sequence"),
        (4, 7, "stay"),
        (5, 1, "stay"),
        (6, 1, "stray"),
    ]


def test_circles_are_shown() -> None:
    """Segments that refer to each other in a circle are refused, and the circle is shown once."""
    names = ["a", "b", "c"]
    text = "---\n".join(
        f"kind: Segment\nname: {name}\nenter: {{segment: {to}}}\n"
        for name, to in zip(names, ["b", "c", "a"], strict=True)
    )
    found = problems_of(text)
    assert [problem.description for problem in found] == [
        "segments refer to each other in a circle: a → b → c → a"
    ]


def test_long_chains_are_refused() -> None:
    """Segments may refer to each other a hundred deep, and no deeper."""

    def chain(length: int) -> str:
        first = "kind: Segment\nname: s0\nenter: {performed: {event: A}}\n"
        return first + "".join(
            f"---\nkind: Segment\nname: s{i}\nenter: {{segment: s{i - 1}}}\n"
            for i in range(1, length)
        )

    assert not problems_of(chain(100))
    assert loaded(chain(100)).plan().segments[-1].name == "s99"
    assert [problem.field_path for problem in problems_of(chain(150))] == ["name"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r"""'== "go\"ld"'""", 'go"ld'),
        (r"""'== "C:\\x"'""", "C:\\x"),
        ('''"!= 'gold'"''', "gold"),
        (r"""'"\u00e9"'""", "é"),
    ],
)
def test_a_text_to_compare_with_is_written_as_in_json(written: str, value: str) -> None:
    """In double quotes with the escapes of JSON, or in single quotes as it is."""
    aggregate = f"{{aggregate: {{event: A, of: properties.x, fn: last, is: {written}}}}}"
    body = loaded(segment(aggregate)).segments["some"].body
    assert body["enter"]["aggregate"]["is"]["value"] == value


def test_the_rest_of_the_language_has_canonical_forms() -> None:
    """Paths have one spelling, comparisons an operator and a value, signed durations a sign."""
    text = segment(
        "\n  all:\n"
        "    - sequence: {steps: [{event: A}, {event: B, where: properties.n > 1}],"
        " within: 1h, recent: 7d, by: 'properties[\"cart\"]'}\n"
        "    - inactive: {event: '*', for: 30d}\n"
        "    - aggregate: {event: Order, of: properties.total, fn: sum, is: '>= 99.5',"
        " by: properties.shop, since: {event: Refund, by: properties.shop}}\n"
        "    - aggregate: {event: Plan, of: properties.to, fn: last, is: '== \"gold\"'}\n"
        "    - aggregate: {event: View, of: properties.id, fn: count_distinct, is: 3}\n"
        "    - profile: '  traits.plan == \"gold\"  '\n"
        "    - date: {trait: trial_ends, from: -3d, until: 0s}\n"
        "    - anniversary: {trait: birthday, from: -1d12h, until: 1d,"
        " timezone: {trait: zone}}\n"
    )
    body = loaded(text).segments["some"].body
    sequence, inactive, total, tier, seen, profile, date, birthday = body["enter"]["all"]
    steps = [{"event": ["A"], "where": None}, {"event": ["B"], "where": "properties.n > 1"}]
    assert sequence["sequence"] == {
        "steps": steps,
        "within": 3_600_000,
        "recent": 7 * DAY,
        "by": "properties.cart",
    }
    assert inactive["inactive"] == {"event": ["*"], "where": None, "for": 30 * DAY}
    assert total["aggregate"] == {
        "event": ["Order"],
        "where": None,
        "by": "properties.shop",
        "of": "properties.total",
        "fn": "sum",
        "is": {"operator": ">=", "value": 99.5},
        "within": None,
        "since": {"event": ["Refund"], "where": None, "by": "properties.shop"},
    }
    assert tier["aggregate"]["is"] == {"operator": "==", "value": "gold"}
    assert seen["aggregate"]["is"] == {"operator": "==", "value": 3.0}
    assert profile["profile"] == 'traits.plan == "gold"'
    assert date["date"] == {"trait": "trial_ends", "from": -3 * DAY, "until": 0}
    assert birthday["anniversary"] == {
        "trait": "birthday",
        "from": -DAY * 3 // 2,
        "until": DAY,
        "timezone": "UTC",
        "timezone_trait": "zone",
    }
