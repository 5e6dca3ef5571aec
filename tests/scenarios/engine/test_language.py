"""The page of the language is true: its definitions load, and its stories come out as told."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import hairspring.engine
import pytest
from hairspring.definitions import BadDefinitions, Manifest, durations, load
from hairspring.engine import conditions
from hairspring.engine.conditions import Condition
from hairspring.engine.events import Event, EventKind
from hairspring.engine.records import Transition
from hairspring.engine.simulate import Told, simulate_accepted

PAGE = Path(hairspring.engine.__file__).with_name("LANGUAGE.md")
#: The horizon of every story that does not name another one, as of an installation.
HORIZON = "90d"
_TIME = r"(?:day \d+ |\d{4}-\d\d-\d\d )?\d\d:\d\d(?::\d\d(?:\.\d\d\d)?)?"
_EVENT = re.compile(
    rf"(?P<who>\w+) (?P<time>{_TIME}) (?P<name>[^{{[,]+?)"
    rf"(?: (?P<given>\{{.*\}}|\[.*\]))?(?:, accepted (?P<accepted>{_TIME}))?"
)
_SETTING = re.compile(r"(?P<name>until|lateness|horizon) (?P<value>.+)")
_KINDS = {
    "identify": EventKind.IDENTIFY,
    "add_tags": EventKind.ADD_TAGS,
    "remove_tags": EventKind.REMOVE_TAGS,
}
_DAY = 86_400_000


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
    """`day 2 10:00:00.001` or `2026-05-01 10:00`; without a day, the first one, 1970-01-01."""
    *day, clock = text.removeprefix("day ").split()
    hours, minutes, seconds = [*clock.split(":"), "0"][:3]
    whole, _, fraction = seconds.partition(".")
    since = 0
    if day and "-" in day[0]:
        since = (date.fromisoformat(day[0]) - date(1970, 1, 1)).days
    elif day:
        since = int(day[0]) - 1
    minute = int(hours) * 60 + int(minutes)
    return since * _DAY + (minute * 60 + int(whole)) * 1000 + int(fraction or 0)


def written(at: int) -> str:
    """A time as the stories write it; what is years away has its date."""
    days, left = divmod(at, _DAY)
    seconds, fraction = divmod(left, 1000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
    if seconds % 60 or fraction:
        clock += f":{seconds % 60:02}" + (f".{fraction:03}" if fraction else "")
    if days >= 1000:
        return f"{date(1970, 1, 1) + timedelta(days=days)} {clock}"
    return f"day {days + 1} {clock}" if days else clock


def happened(line: str, order: int) -> tuple[str, Event]:
    """The profile and the event of a line."""
    match = _EVENT.fullmatch(line)
    assert match, f"this line cannot be read: {line}"
    time = milliseconds(match["time"])
    accepted_at = milliseconds(match["accepted"] or match["time"])
    kind = _KINDS.get(match["name"], EventKind.TRACK)
    given = json.loads(match["given"] or "{}")
    properties = {"tags": given} if isinstance(given, list) else given
    return match["who"], Event(
        match["name"], time, order, accepted_at, f"m{order}", kind, properties
    )


def told(found: Told) -> str:
    """A transition as the stories write it."""
    assert isinstance(found.record, Transition)
    at = written(found.record.effective_at)
    line = f"{found.profile} {at} {found.record.change.value} {found.record.segment}"
    if found.record.groups:
        line += f", for {' and '.join(found.record.groups)}"
    return f"{line}, late" if found.record.cause.late else line


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
    settings = {
        match["name"]: match["value"] for line in lines if (match := _SETTING.fullmatch(line))
    }
    expected = [line.removeprefix("→ ") for line in lines if line.startswith("→ ")]
    events = [
        happened(line, order)
        for order, line in enumerate(lines)
        if not line.startswith("→ ") and not _SETTING.fullmatch(line)
    ]

    events.sort(key=lambda pair: (pair[1].accepted_at, pair[1].order))
    found = simulate_accepted(
        events,
        plan,
        until=milliseconds(settings["until"]) if "until" in settings else None,
        lateness=durations.parse(settings["lateness"]) if "lateness" in settings else 0,
        horizon=durations.parse(settings.get("horizon", HORIZON)),
    )

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
    assert kinds.count("story") >= 25
    assert kinds.count("problems") == 1


def test_every_condition_has_a_story() -> None:
    """Nothing is in the language that the page does not show."""
    told = "".join(example.definition for example in examples() if example.kind == "story")
    known = [getattr(conditions, name) for name in conditions.__all__]
    words = {one.keyword for one in known if isinstance(one, type) and issubclass(one, Condition)}
    words.discard("")  # those that others derive from
    assert len(words) >= 12
    assert {word for word in words if f"{word}:" not in told} == set()
