"""Whatever file is handed in, the answer is stories that can be run, or problems with places."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hairspring.definitions import BadDefinitions, Problem
from hairspring.stories import Story, junit, read_file, run
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = """\
kind: Segment
name: cart-abandoners
enter: {abandoned: {event: Added, unless: {event: Bought}, after: 1h}}
---
kind: Story
name: One
profile: ada
starts: 2026-05-01
until: day 3 10:00:00.250
lateness: 5m
horizon: 7d
segments: [cart-abandoners]
events:
  - {at: 10:00, event: Added, properties: {price: 25.5, tags: [a, null, true]}}
  - {at: day 2 09:00, profile: 7, event: Bought, accepted: 2026-05-02T12:00+02:00, message_id: m}
  - {at: 12:00, traits: {name: Ada, born: 1990-02-28}}
  - {at: 12:00, add_tags: [vip], context: {}}
expect:
  - {at: 11:00, entered: cart-abandoners, cause: time, groups: [1]}
  - {at: day 2 09:00, held: cart-abandoners, reason: cooldown}
"""
BITS = st.sampled_from(
    [
        *"{}[]:,-&*!|>'\"%@`#? \n\t\0é",
        *("yes", "no", "~", "---", "...", "&a", "*a", "<<", "kind: Story\n", "kind: Segment\n"),
        *("day 99999 10:00", "24:00", "0001-01-01", "9999-12-31T23:59:59Z", "1e400", "0x1", "1_0"),
        *(
            ".inf",
            "2026-13-01",
            "-1h",
            "36500d",
            "definitions: .\n",
            "expect: []\n",
            "until: 1:00\n",
        ),
    ]
)


def read(path: Path) -> tuple[Sequence[Story], Sequence[Problem]]:
    """The stories of a file, or what is wrong with it."""
    try:
        return read_file(path), []
    except BadDefinitions as error:
        return [], error.problems


@given(
    st.lists(
        st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), BITS | st.text(max_size=5)),
        max_size=5,
    )
)
@settings(max_examples=300)
def test_any_change_of_a_good_file_is_answered(edits: list[tuple[int, int, str]]) -> None:
    """Cut and filled anywhere, it is read and run, or refused with places inside the file."""
    text = GOOD
    for start, length, put in edits:
        text = text[:start] + put + text[start + length :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.story.yaml")
        path.write_text(text, errors="replace", newline="")
        stories, problems = read(path)

    assert bool(stories) != bool(problems)
    assert all(problem.description and problem.line >= 0 for problem in problems)
    results = [run(story) for story in stories]
    for result in results:
        assert result.passed == (result.summary == "")
    junit(results, {})
