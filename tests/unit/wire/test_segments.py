"""Segments as typed messages: they say what YAML says, the same problems included."""

from __future__ import annotations

import json

import pytest
from google.protobuf import text_format
from google.protobuf.duration_pb2 import Duration
from hairspring.contracts.segment.v1 import condition_pb2 as condition
from hairspring.contracts.segment.v1.segment_pb2 import Segment
from hairspring.definitions import BadDefinitions, Manifest, load, yaml_nodes
from hairspring.definitions.conditions import _READERS as CONDITIONS
from hairspring.definitions.writing import write
from hairspring.wire.segments import from_body, to_tree

WHOLE_LANGUAGE = """
kind: Segment
name: everything
description: "yes: all of it, # and more"
enter:
  all:
    - performed:
        event: [B, A]
        where: |
          properties.x > 1.0
            && properties.y == "no"
        by: properties.cart_id
        times: ">= 3"
        within: 1h30m
        since: {event: C, by: properties.cart_id}
    - performed: {event: "*", times: 0}
    - abandoned: {event: A, unless: {event: B, where: "true"}, after: 90s, restart: false}
    - abandoned: {event: A, by: properties.id, unless: {event: B}, after: 2w}
    - sequence:
        {steps: [{event: A}, {event: [B, C], where: properties.x == 1.0}], within: 1d, recent: 7d,
         by: properties.id}
    - inactive: {event: "*", for: 30d}
    - aggregate: {event: A, of: properties.total, fn: sum, is: ">= 99.5", within: 30d}
    - aggregate: {event: A, of: properties.plan, fn: last, is: '== "gold ✓"', since: {event: B}}
    - aggregate: {event: A, by: context.x, of: properties.id, fn: count_distinct, is: 3}
    - aggregate: {event: A, of: properties.total, fn: avg, is: "< -1e-7"}
    - profile: traits.country == "AT" && traits.age > 18
    - segment: others
    - date: {trait: trial_ends, from: -3d, until: 0s}
    - anniversary: {trait: birthday, from: -1d, until: 1d12h}
    - anniversary: {trait: birthday, from: 0s, until: 1d, timezone: Europe/Vienna}
    - anniversary: {trait: birthday, from: 0s, until: 1d, timezone: {trait: zone}}
    - any:
        - not: {segment: others}
        - not: {not: {performed: {event: "10:00", times: "!= 2"}}}
exit: {performed: {event: Left}}
stay: 7d
cooldown: 1d
max_event_age: 3d
---
kind: Segment
name: others
enter: {performed: {event: A}}
"""


def body_of(text: str) -> dict[str, object]:
    """The canonical form of the segment `everything` of a text."""
    others = load([Manifest(path="", text=WHOLE_LANGUAGE)])
    return dict(load([Manifest(path="", text=text)], others).segments["everything"].body)


def test_the_whole_language_goes_there_and_back() -> None:
    """A canonical form as a message, and as the YAML of that, is the same canonical form."""
    body = body_of(WHOLE_LANGUAGE)

    segment = Segment.FromString(from_body(body).SerializeToString())

    assert body_of(write(to_tree(segment))) == body


def test_the_sample_has_every_condition() -> None:
    """So that the test above holds of the language, and not of a part of it."""
    written = json.dumps(body_of(WHOLE_LANGUAGE))

    assert [key for key in CONDITIONS if f'"{key}": ' not in written] == []
    fields = condition.Condition.DESCRIPTOR.oneofs_by_name["condition"].fields
    assert len(fields) == len(CONDITIONS)


def test_what_is_written_reads_as_a_person_writes() -> None:
    """Durations with units, single names without brackets, comparisons as text."""
    segment = text_format.Parse(
        """
        name: "cart-abandoners"
        enter { all_of {
          conditions { abandoned {
            pattern { event_names: "Product Added" where: "properties.price >= 20.0" }
            unless { event_names: "Order Completed" }
            after { seconds: 5400 }
          } }
          conditions { not_of { condition { in_segment { segment: "staff" } } } }
          conditions { aggregate {
            pattern { event_names: ["A", "B"] } of: "properties.total"
            function: AGGREGATE_FUNCTION_SUM
            comparison { operator: COMPARISON_OPERATOR_AT_LEAST number: 100 }
          } }
        } }
        """,
        Segment(),
    )

    [document] = yaml_nodes.documents(write(to_tree(segment)))

    assert document.text == (
        "kind: Segment\nname: cart-abandoners\nenter:\n  all:\n"
        "  - abandoned:\n      event: Product Added\n      where: properties.price >= 20.0\n"
        "      unless: {event: Order Completed}\n      after: 1h30m\n"
        "  - not: {segment: staff}\n"
        "  - aggregate:\n      event: [A, B]\n      of: properties.total\n      fn: sum\n"
        "      is: '>= 100'\n"
    )


@pytest.mark.parametrize(
    ("message", "paths"),
    [
        ("", ["", ""]),
        ('name: "A b" enter {}', ["name", "enter"]),
        ('name: "a" enter { performed {} }', ["enter.performed"]),
        ('name: "a" enter { all_of {} }', ["enter.all"]),
        ('name: "a" enter { not_of {} }', ["enter.not"]),
        ('name: "a" enter { profile {} }', ["enter.profile"]),
        (
            'name: "a" enter { any_of { conditions { performed { pattern { event_names: "A" } } }'
            ' conditions { abandoned { pattern { event_names: "A" } unless { event_names: "B" }'
            " after { seconds: 1 nanos: 500000000 } } } } } stay { seconds: -60 }",
            ["enter.any[1].abandoned.after", "stay"],
        ),
        (
            'name: "a" enter { performed { pattern { event_names: ["A", "A"] where: "1 +" }'
            " times { operator: COMPARISON_OPERATOR_LESS_THAN } } }",
            ["enter.performed.event[1]", "enter.performed.where", "enter.performed.times"],
        ),
        (
            'name: "a" enter { inactive { pattern { event_names: "A" by: "properties.x" } } }',
            ["enter.inactive", "enter.inactive.by"],
        ),
        (
            'name: "a" enter { aggregate { pattern { event_names: "A" } of: "properties.x"'
            " function: 99 comparison { operator: 77 number: nan } } }",
            ["enter.aggregate.fn", "enter.aggregate.is"],
        ),
        ('name: "a" enter { in_segment { segment: "b" } }', ["enter.segment"]),
        ('name: "a" enter { performed { pattern { event_names: "A\\000" } } }', 1),
    ],
)
def test_what_is_wrong_has_the_path_of_yaml(message: str, paths: list[str] | int) -> None:
    """The same checks find the same problems, also of what no YAML could say."""
    segment = text_format.Parse(message, Segment())

    with pytest.raises(BadDefinitions) as caught:
        load([Manifest(path="segment", text=write(to_tree(segment)))])

    found = [problem.field_path for problem in caught.value.problems]
    assert len(found) == paths if isinstance(paths, int) else found == paths


def test_texts_stay_texts() -> None:
    """Whatever YAML would take a text for, and whatever signs it has, it is the same text."""
    for text in (
        "no",
        "10:00",
        "1e3",
        "null",
        "2026-01-01",
        "- a",
        "a: b",
        "#",
        " x ",
        "ü\n\ty",
        "~",
    ):
        segment = from_body({"name": "a", "description": text})
        [document] = yaml_nodes.documents(write(to_tree(segment)))
        assert isinstance(document.root, yaml_nodes.Entries)
        value = {key.value: value for key, value in document.root.entries}["description"]
        assert isinstance(value, yaml_nodes.Scalar)
        assert (value.value, value.kind) == (text, yaml_nodes.ScalarKind.TEXT)


def test_long_spans_and_deep_conditions_end_in_problems() -> None:
    """What is beyond every bound is refused, and breaks nothing."""
    segment = Segment(name="a")
    segment.stay.CopyFrom(Duration(seconds=315_576_000_000))
    inner = segment.enter
    for _ in range(40):
        inner = inner.not_of.condition
    inner.performed.pattern.event_names.append("A")

    with pytest.raises(BadDefinitions):
        load([Manifest(path="segment", text=write(to_tree(segment)))])
