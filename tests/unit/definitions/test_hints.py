import pytest
from hairspring.definitions import hints

from tests.unit.definitions.samples import problems_of, segment


@pytest.mark.parametrize(
    ("enter", "advice"),
    [
        ("{and: []}", "did you mean `all`?"),
        ("{or: []}", "did you mean `any`?"),
        ("{tag: vip}", "did you mean `profile`?"),
        ("{all: {segment: a}}", "put a `- ` before each"),
        ("{not: [{segment: a}]}", "write `not: {any: [...]}`"),
        ("{segment: [a, b]}", "a `segment` for each under `any` or `all`"),
        ("{performed: {name: A}}", "did you mean `event`?"),
        ("{performed: {event: A, count: 3}}", "did you mean `times`?"),
        ("{performed: {event: A, for: 3d}}", "did you mean `within`?"),
        ("{performed: {event: A, times: at least 3}}", "write '>= 3'"),
        ("{performed: {event: A, times: At most 3}}", "write '<= 3'"),
        ("{performed: {event: A, times: exactly 3}}", "write '== 3'"),
        ("{performed: {event: A, times: 3+}}", "write '>= 3'"),
        ("{performed: {event: A, times: '=> 3'}}", "write '>= 3'"),
        ("{performed: {event: A, times: [1, 3]}}", "two conditions under `all`"),
        ("{performed: {event: A, times: '>= 20000'}}", "write at most 10,000"),
        ("{performed: {event: A, within: 7 days}}", "write 7d"),
        ("{performed: {event: A, within: 1 month}}", "write days such as 30d"),
        ("{performed: {event: A, where: {price: 20}}}", "such as properties.price >= 20.0"),
        ("{performed: {event: A, where: price > 20}}", "write properties.price"),
        ("{performed: {event: A, by: cart_id}}", "write properties.cart_id"),
        ("{performed: {event: A, by: properties.x, times: 0}}", "write '>= 1', and put `not`"),
        ("{performed: {event: A, by: properties.x, times: '< 3'}}", "write '>= 3', and put `not`"),
        ("{performed: {event: A, since: B}}", "write `since: {event: B}`"),
        ("{performed: {event: A, since: 7d}}", "an event such as {event: Order Completed}"),
        ("{performed: {event: A, since: {event: A}}}", "name another event in `since`"),
        ("{abandoned: A}", "{event: A, unless: {event: Order Completed}, after: 1h}"),
        ("{abandoned: {event: A, after: 1h}}", "such as `unless: {event: Order Completed}`"),
        ("{abandoned: {event: A, unless: B, after: 1h}}", "write `unless: {event: B}`"),
        ("{abandoned: {event: A, unless: {event: B}, within: 1h}}", "did you mean `after`?"),
        ("{sequence: [{event: A}, {event: B}]}", "write the list under `steps`"),
        ("{sequence: {steps: [A, B]}}", "a step is written as {event: A}"),
        ("{sequence: {steps: [{event: A, within: 1h}]}}", "write `within` beside `steps`"),
        ("{sequence: {steps: [{performed: {event: A}}]}}", "without a condition: {event: NAME}"),
        ("{inactive: 30d}", "write `inactive: {event: NAME, for: 30d}`"),
        ("{inactive: {event: A, within: 30d}}", "did you mean `for`?"),
        ("{aggregate: A}", "{event: A, of: properties.total, fn: sum, is: '>= 100'}"),
        ("{aggregate: {of: traits.total}}", "asked for with the condition `profile`"),
        ("{aggregate: {fn: average}}", "write avg"),
        ("{aggregate: {fn: count}}", "write `performed` with `times`"),
        ("{aggregate: {fn: sum, is: 100 EUR}}", "write the number alone"),
        ("{aggregate: {fn: sum, is: '>= 1,000'}}", "write the number alone"),
        ("{aggregate: {fn: sum, is: '=> 99.5'}}", "write '>= 99.5'"),
        ("{aggregate: {fn: last, is: gold}}", "write '== \"gold\"'"),
        ("{aggregate: {fn: last, is: '!= gold'}}", "write '!= \"gold\"'"),
        ("{aggregate: {fn: max, is: '== \"gold\"'}}", "such as '>= 100'"),
        ("{profile: {plan: gold}}", 'an expression such as traits.plan == "gold"'),
        ("{profile: 'plan == \"gold\"'}", "write traits.plan"),
        ("{date: trial_ends}", "write `date: {trait: trial_ends, from: 0s, until: 1d}`"),
        ("{date: {trait: t, from: -3d, until: 0}}", "write 0s"),
        ("{date: {trait: t, from: -3 days, until: 0s}}", "write -3d"),
        ("{date: {trait: t, from: 3 days before, until: 0s}}", "write -3d"),
        ("{date: {trait: t, from: 0s, until: 3 days after}}", "write 3d"),
        ("{date: {trait: 2026-05-01}}", "the name of a trait that has a date"),
        ("{date: {trait: t, from: 0s, until: -3d}}", "`from: -3d, until: 0s`"),
        ("{anniversary: traits.birthday}", "{trait: birthday, from: 0s, until: 1d}"),
        ("{anniversary: {timezone: Berlin}}", "write Europe/Berlin"),
        ("{anniversary: {timezone: New York}}", "write America/New_York"),
        ("{anniversary: {timezone: traits.zone}}", "write {trait: zone}"),
    ],
)
def test_the_answer_says_what_to_write(enter: str, advice: str) -> None:
    """Who writes something near it is told how it is written."""
    found = problems_of(segment(enter))
    assert any(advice in problem.description for problem in found), found


def test_a_word_is_only_told_where_it_is_known() -> None:
    """A hint never leads to the next refusal."""
    assert hints.unknown("count", ["times"]) == "did you mean `times`?"
    assert hints.unknown("count", ["event", "where"]) == "there are event and where"
    assert hints.unknown("evnt", ["event", "where"]) == "did you mean `event`?"


@pytest.mark.parametrize(("key", "example"), sorted(hints.EXAMPLES.items()))
def test_each_example_is_one_of_its_key(key: str, example: str) -> None:
    """What is shown for a missing key begins with that key."""
    assert example.startswith(f"{key}: ")
    assert hints.needed(key) == f"`{key}`, such as `{example}`"
