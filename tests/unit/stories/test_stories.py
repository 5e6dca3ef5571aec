"""Stories: what is read, what is refused, and what a comparison says."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hairspring.definitions import BadDefinitions, load_files
from hairspring.engine.events import EventKind
from hairspring.stories import Sign, find_files, junit, read_file, run

SEGMENT = """
kind: Segment
name: buyers
enter: {performed: {event: Order Completed, within: 1h}}
"""
KIND = "---\nkind: Story\n"


def file(folder: Path, text: str, name: str = "a.story.yaml") -> Path:
    """A file with this text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def problems(path: Path) -> list[str]:
    """Line, column and path of each problem of a file."""
    with pytest.raises(BadDefinitions) as caught:
        read_file(path)
    return [f"{p.line}:{p.column}: {p.field_path}" for p in caught.value.problems]


def test_a_story_passes_when_all_comes_as_told(tmp_path: Path) -> None:
    """Every line is found, times are of the story's days, and the clock goes on to `until`."""
    [story] = read_file(
        file(
            tmp_path,
            SEGMENT + KIND + "name: Bought\nstarts: 2026-05-01\nuntil: day 2 01:00\n"
            "events:\n  - {at: 23:30, profile: 7, event: Order Completed}\n"
            "expect:\n  - {at: 23:30, profile: 7, entered: buyers, cause: Order Completed}\n"
            "  - {at: 2026-05-02T02:30:00+02:00, profile: 7, left: buyers, cause: time}\n",
        )
    )

    result = run(story)

    assert [line.sign for line in result.lines] == [Sign.BOTH, Sign.BOTH]
    assert result.passed
    assert result.difference.endswith("  day 2 00:30  7  left  buyers  (time passed)")


def test_a_difference_shows_what_is_missing_and_what_came(tmp_path: Path) -> None:
    """A wrong time, a wrong cause and lateness each make a line of either sign."""
    [story] = read_file(
        file(
            tmp_path,
            SEGMENT + KIND + "name: Bought\nprofile: ada\n"
            "events:\n  - {at: 10:00, event: Order Completed}\n  - {at: 12:00, event: Seen}\n"
            "expect:\n  - {at: 10:00, entered: buyers, cause: time}\n"
            "  - {at: 11:00:00.001, left: buyers}\n",
        )
    )

    result = run(story)

    assert not result.passed
    assert result.difference.splitlines() == [
        "- 10:00  ada  entered  buyers  (time passed)",
        "+ 10:00  ada  entered  buyers  (by Order Completed)",
        "+ 11:00  ada  left  buyers  (time passed)",
        "- 11:00:00.001  ada  left  buyers",
    ]
    assert result.summary == "2 expected did not come, 2 came unexpected"


def test_held_and_dropped_count_only_where_some_are_expected(tmp_path: Path) -> None:
    """A story that speaks of none passes; one that speaks of one has to tell all."""
    text = (
        "kind: Segment\nname: buyers\ncooldown: 1d\n"
        "enter: {performed: {event: Order Completed, within: 1h}}\n"
        "---\nkind: Story\nname: One\nprofile: ada\nevents: &bought\n"
        "  - {at: 10:00, event: Order Completed}\n  - {at: 12:00, event: Order Completed}\n"
        "  - {at: 14:00, event: Order Completed}\n"
        "expect:\n  - {at: 10:00, entered: buyers}\n  - {at: 11:00, left: buyers}\n"
    )
    quiet, telling = text, text + "  - {at: 12:00, held: buyers, reason: cooldown}\n"

    assert [run(story).passed for story in read_file(file(tmp_path, quiet))] == [True]
    [story] = read_file(file(tmp_path, telling))
    assert run(story).difference.splitlines()[-1] == (
        "+ 14:00  ada  held  buyers  (because of cooldown)"
    )


def test_events_are_taken_as_the_door_takes_them(tmp_path: Path) -> None:
    """In the order of acceptance, never later than it, repeats left out, values as in JSON."""
    [story] = read_file(
        file(
            tmp_path,
            SEGMENT + KIND + "name: All\nprofile: ada\nexpect: []\nevents:\n"
            "  - {at: 12:00, event: B, accepted: 13:00, message_id: one}\n"
            "  - {at: 12:30, event: A, message_id: two, accepted: 12:00}\n"
            "  - {at: 12:45, event: A, message_id: two}\n"
            "  - {at: 12:50, traits: {born: 1990-02-28, plan: null, vip: true, tags: [a, 2]}}\n"
            "  - {at: 12:51, event: C, properties: {a: 1e3, b: '1e3', c: 1.5, d: -7, e: {f: 0}}}\n",
        )
    )

    assert [(e.name, e.time % 86_400_000 // 60_000, e.order) for _, e in story.events] == [
        ("A", 720, 2),
        ("", 770, 4),
        ("C", 771, 5),
        ("B", 720, 1),
    ]
    identify, track = story.events[1][1], story.events[2][1]
    assert identify.kind is EventKind.IDENTIFY
    assert identify.properties == {
        "born": "1990-02-28",
        "plan": None,
        "vip": True,
        "tags": ["a", 2],
    }
    assert track.properties == {"a": 1000.0, "b": "1e3", "c": 1.5, "d": -7, "e": {"f": 0}}


def test_tags_and_groups_are_told(tmp_path: Path) -> None:
    """Tags go on and off, and the groups of `by` are told as the values that they are."""
    text = (
        "kind: Segment\nname: vips\nenter: {profile: '\"vip\" in traits.tags'}\n---\n"
        "kind: Segment\nname: keen\n"
        "enter: {performed: {event: Seen, by: properties.id, times: '>= 2'}}\n"
        "---\nkind: Story\nname: All\nprofile: ada\nevents:\n"
        "  - {at: 10:00, add_tags: [vip, new]}\n  - {at: 10:05, remove_tags: vip}\n"
        "  - {at: 11:00, event: Seen, properties: {id: 7}}\n"
        "  - {at: 11:01, event: Seen, properties: {id: '7'}}\n"
        "  - {at: 11:02, event: Seen, properties: {id: 7.0}}\n"
        "expect:\n  - {at: 10:00, entered: vips, cause: traits}\n"
        "  - {at: 10:05, left: vips}\n  - {at: 11:02, entered: keen, groups: [7]}\n"
    )
    right, wrong = text, text.replace("groups: [7]", "groups: ['7']")

    [story] = read_file(file(tmp_path, right))
    assert run(story).passed, run(story).difference
    [story] = read_file(file(tmp_path, wrong))
    assert run(story).difference.splitlines()[-2:] == [
        '- 11:02  ada  entered  keen  (groups "7")',
        "+ 11:02  ada  entered  keen  (by Seen, groups 7)",
    ]
    assert problems(file(tmp_path, text.replace("[7]", "[[7]]"))) == ["21:41: expect[2].groups[0]"]


def test_what_lies_beyond_the_horizon_is_judged_by_nothing(tmp_path: Path) -> None:
    """An event older than that on acceptance counts only where the story looks back further."""
    text = (
        SEGMENT.replace(", within: 1h", "") + KIND + "name: Late\nprofile: ada\nevents:\n"
        "  - {at: 2026-01-01 10:00, event: Order Completed, accepted: 2026-05-01 10:00}\n"
        "expect: []\n"
    )
    further = text.replace("expect: []", "horizon: 200d\nexpect: [{at: 10:00, entered: buyers}]")

    for one in (text, further):
        [story] = read_file(file(tmp_path, one))
        assert run(story).passed, run(story).difference


def test_only_the_segments_named_are_looked_at(tmp_path: Path) -> None:
    """Helpers may do as they like, and expecting one of them is refused."""
    text = (
        SEGMENT + "---\nkind: Segment\nname: others\nenter: {not: {segment: buyers}}\n"
        "---\nkind: Story\nname: One\nprofile: ada\nsegments: buyers\nuntil: 10:30\n"
        "events:\n  - {at: 10:00, event: Order Completed}\n"
        "expect:\n  - {at: 10:00, entered: buyers}\n"
    )
    [story] = read_file(file(tmp_path, text))

    assert run(story).passed
    wrong = text.replace("segments: buyers", "segments: others")
    assert problems(file(tmp_path, wrong)) == ["18:26: expect[0].entered"]


def test_definitions_may_lie_beside_the_story(tmp_path: Path) -> None:
    """Files and folders are found from the story's folder, and its folder can still be applied."""
    file(tmp_path, SEGMENT, "shop/buyers.yaml")
    story = "kind: Story\nname: One\nprofile: a\ndefinitions: ..\nexpect: []\n"
    path = file(tmp_path, story + "events: [{at: 10:00, event: A}]\n", "shop/tests/a.story.yaml")

    [read] = read_file(path)

    assert run(read).passed
    assert list(load_files([tmp_path]).segments) == ["buyers"]
    assert find_files([tmp_path, path]) == [path]


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    """Those of the story and those of the definitions, all at once."""
    text = (
        "kind: Segment\nname: s\nenter: {performed: {event: A, tims: 3}}\n"
        "---\n"
        "kind: Story\nname: x\nstarts: tomorrow\nlateness: 5\n"
        "events:\n"
        "  - {at: 25:00, event: A}\n"
        "  - {at: 10:00, profile: a, event: A, traits: {a: no}}\n"
        "  - {profile: a, evnt: A}\n"
        "  - {at: 10:00, profile: a, traits: {a: 1_000}, properties: {}}\n"
        "expect:\n"
        "  - {at: 10:00, profile: a, dropped: s, late: true}\n"
        "  - {at: 10:00, profile: a, entered: s, left: s}\n"
    )
    assert problems(file(tmp_path, text)) == [
        "7:9: starts",
        "8:11: lateness",
        "10:5: events[0]",
        "10:10: events[0].at",
        "11:5: events[1]",
        "12:5: events[2]",
        "12:5: events[2]",
        "12:18: events[2].evnt",
        "13:41: events[3].traits.a",
        "13:61: events[3].properties",
        "15:47: expect[0].late",
        "16:5: expect[1]",
        "3:31: enter.performed.tims",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SEGMENT, "there is no document with `kind: Story`"),
        (
            KIND + "name: x\nprofile: a\nevents: [{at: 1:00, event: A}]\nexpect: []",
            "nothing to test",
        ),
        (SEGMENT + KIND + "name: x\nevents: []\nexpect: []", "`events` is empty"),
        (SEGMENT + KIND + "name: x\ndefinitions: no.yaml", "there is no no.yaml in"),
        (
            SEGMENT + KIND + "name: x\nprofile: a\nevents: [{at: 1:00, event: A}]\n"
            "expect: [{at: 1:00, entered: buyer}]",
            "there is no segment buyer; did you mean buyers?",
        ),
        (
            SEGMENT + KIND + "name: x\nprofile: a\nevents: [{at: 1:00, event: A}]\n"
            "expect: [{at: day 3 1:00, left: buyers}]",
            "the story ends at 01:00, before this; say `until`",
        ),
        (
            SEGMENT + KIND + "name: x\nprofile: a\nuntil: 0:59\n"
            "events: [{at: 0:30, event: A, accepted: 1:00}]\nexpect: []",
            "the story cannot end before its last event, at 01:00",
        ),
        (SEGMENT + 2 * (KIND + "name: x\n"), "the story on line 6 has the same name"),
        ("a: [", "this is not YAML"),
    ],
)
def test_what_is_refused_says_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    """A file that tells no story, or one that cannot be run, is answered in words."""
    with pytest.raises(BadDefinitions, match=said):
        read_file(file(tmp_path, text))


def test_places_that_hold_no_story_are_refused(tmp_path: Path) -> None:
    """A folder without stories and a file that is not there are told at once."""
    with pytest.raises(BadDefinitions) as caught:
        find_files([tmp_path, tmp_path / "none.story.yaml"])

    assert [p.description for p in caught.value.problems] == [
        "this folder has no *.story.yaml files",
        "there is no such file or folder",
    ]


def test_junit_tells_failures_and_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Each story is a test case, a file with problems an error, whatever characters they have."""
    path = file(
        tmp_path,
        SEGMENT + KIND + "name: It <fails>\nprofile: a\nevents: [{at: 1:00, event: A}]\n"
        "expect: [{at: 1:00, entered: buyers}]\n"
        + KIND
        + "name: It passes\nprofile: a\nevents: [{at: 1:00, event: A}]\nexpect: []\n",
    )
    results = [run(story) for story in read_file(path)]

    root = ElementTree.fromstring(junit(results, {"bad.story.yaml": ["bad: \x1b", "worse"]}))

    found = {
        case.get("name"): [part.tag for part in case]
        for case in root.iterfind("testsuite/testcase")
    }
    assert found == {"It <fails>": ["failure"], "It passes": [], "the file can be read": ["error"]}
    assert [suite.get("failures") for suite in root] == ["1", "0"]
    assert root.findtext(".//failure") == "- 01:00  a  entered  buyers"
