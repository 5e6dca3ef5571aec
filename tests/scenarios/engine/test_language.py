"""The page of the language is true: its definitions load, and its stories come out as told."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import hairspring.engine
import pytest
from hairspring.definitions import BadDefinitions, Manifest, load
from hairspring.engine.events import Event, EventKind
from hairspring.engine.records import Transition
from hairspring.engine.simulate import Told, simulate_accepted

PAGE = Path(hairspring.engine.__file__).with_name("LANGUAGE.md")
_TIME = r"(?:day \d+ )?\d\d:\d\d(?::\d\d(?:\.\d\d\d)?)?"
_EVENT = re.compile(
    rf"(?P<who>\w+) (?P<time>{_TIME}) (?P<name>[^{{,]+?)"
    rf"(?: (?P<properties>\{{.*\}}))?(?:, accepted (?P<accepted>{_TIME}))?"
)
_UNTIL = re.compile(rf"until (?P<time>{_TIME})")


@dataclass(frozen=True)
class Example:
    """A definition, what follows it (`story`, `problems`, or nothing), and the line it is on."""

    line: int
    definition: str
    kind: str
    text: str


def examples() -> list[Example]:
    """The page's examples, in its order."""
    page = PAGE.read_text()
    fences = [
        (page[: match.start()].count("\n") + 1, match[1], match[2])
        for match in re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    ]
    found = []
    for index, (line, kind, text) in enumerate(fences):
        if kind == "yaml":
            following = fences[index + 1] if index + 1 < len(fences) else (0, "", "")
            found.append(Example(line, text, *following[1:]))
    return found


def milliseconds(text: str) -> int:
    """`day 2 10:00:00.001`; without a day, the first one."""
    *day, clock = text.removeprefix("day ").split()
    hours, minutes, seconds = [*clock.split(":"), "0"][:3]
    whole, _, fraction = seconds.partition(".")
    minute = ((int(day[0] if day else 1) - 1) * 24 + int(hours)) * 60 + int(minutes)
    return (minute * 60 + int(whole)) * 1000 + int(fraction or 0)


def written(at: int) -> str:
    """A time as the stories write it."""
    seconds, fraction = divmod(at, 1000)
    days, second = divmod(seconds, 86_400)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}"
    if second % 60 or fraction:
        clock += f":{second % 60:02}" + (f".{fraction:03}" if fraction else "")
    return f"day {days + 1} {clock}" if days else clock


def happened(line: str, order: int) -> tuple[str, Event]:
    """The profile and the event of a line."""
    match = _EVENT.fullmatch(line)
    assert match, f"this line cannot be read: {line}"
    time = milliseconds(match["time"])
    accepted_at = milliseconds(match["accepted"] or match["time"])
    kind = EventKind.IDENTIFY if match["name"] == "identify" else EventKind.TRACK
    properties = json.loads(match["properties"] or "{}")
    return match["who"], Event(
        match["name"], time, order, accepted_at, f"m{order}", kind, properties
    )


def told(found: Told) -> str:
    """A transition as the stories write it."""
    assert isinstance(found.record, Transition)
    late = ", late" if found.record.cause.late else ""
    at = written(found.record.effective_at)
    return f"{found.profile} {at} {found.record.change.value} {found.record.segment}{late}"


@pytest.mark.parametrize(
    "example",
    [example for example in examples() if example.kind != "problems"],
    ids=lambda example: f"line {example.line}",
)
def test_stories_come_out_as_told(example: Example) -> None:
    """What the page says of an example is what the engine says, for each profile in its order."""
    assert example.kind == "story", "every example has its story"
    plan = load([Manifest(path=PAGE.name, text=example.definition)]).plan()
    lines = [line for line in example.text.splitlines() if line]
    ends = [milliseconds(match["time"]) for line in lines if (match := _UNTIL.fullmatch(line))]
    expected = [line.removeprefix("→ ") for line in lines if line.startswith("→ ")]
    events = [
        happened(line, order)
        for order, line in enumerate(lines)
        if not line.startswith("→ ") and not _UNTIL.fullmatch(line)
    ]

    events.sort(key=lambda pair: (pair[1].accepted_at, pair[1].order))
    found = simulate_accepted(events, plan, until=ends[0] if ends else None)

    records = [one for one in found if isinstance(one.record, Transition)]
    profiles = sorted({who for who, _ in events})
    assert {who: [line for line in expected if line.split()[0] == who] for who in profiles} == {
        who: [told(one) for one in records if one.profile == who] for who in profiles
    }


@pytest.mark.parametrize(
    "example",
    [example for example in examples() if example.kind == "problems"],
    ids=lambda example: f"line {example.line}",
)
def test_problems_are_found_where_the_page_says(example: Example) -> None:
    """Line, column and path of each; the words are not the page's business."""
    with pytest.raises(BadDefinitions) as caught:
        load([Manifest(path=PAGE.name, text=example.definition)])

    found = [f"{p.line}:{p.column}: {p.field_path}" for p in caught.value.problems]
    assert found == example.text.splitlines()


def test_the_page_has_its_examples() -> None:
    """So that a change to the reading of the page cannot silence them."""
    kinds = [example.kind for example in examples()]
    assert kinds.count("story") >= 10
    assert kinds.count("problems") == 1
