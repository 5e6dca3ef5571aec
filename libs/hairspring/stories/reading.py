"""Reading: a document of `kind: Story` goes in, a story without its plan comes out."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from hairspring.definitions.fields import Field
from hairspring.definitions.kinds import Kind
from hairspring.definitions.problems import listed
from hairspring.definitions.yaml_nodes import Entries, Items, Scalar
from hairspring.engine.events import Event
from hairspring.engine.values import group_of
from hairspring.stories import happenings, times, values
from hairspring.stories.outcomes import OutcomeType
from hairspring.stories.story import Expectation

KIND = "Story"
KEYS = (
    *("kind", "name", "description", "definitions", "segments", "profile", "starts", "until"),
    *("lateness", "horizon", "events", "expect"),
)
REQUIRED = ("name", "events", "expect")
LONGEST_NAME = 200
#: How far back a workspace judges that says nothing else: 90 days.
USUAL_HORIZON = 90 * times.DAY
LONGEST_DESCRIPTION = 2_000
_EXPECTED = ("at", "profile", *OutcomeType, "late", "cause", "reason", "groups")

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Draft:
    """A story as it was read; it is whole only where its report has no problems."""

    root: Field
    name: str = ""
    name_field: Field | None = None
    definitions: list[tuple[str, Field]] = field(default_factory=list)
    segments: list[str] | None = None
    starts: int = times.USUAL_START
    until: int | None = None
    lateness: int = 0
    horizon: int = USUAL_HORIZON
    events: list[tuple[str, Event]] = field(default_factory=list)
    expected: list[Expectation] = field(default_factory=list)

    @property
    def end(self) -> int:
        """How far the clock goes, in milliseconds, UTC."""
        latest = max((event.accepted_at for _, event in self.events), default=self.starts)
        return latest if self.until is None else self.until


def is_story(root: object) -> bool:
    """Whether a document says that it is a story."""
    return isinstance(root, Entries) and any(
        key.value == "kind" and isinstance(value, Scalar) and value.value == KIND
        for key, value in root.entries
    )


def read(root: Field) -> Draft:
    """Reads a story; what is wrong is noted in its report."""
    draft = Draft(root=root)
    entries = root.entries("a story", KEYS, required=REQUIRED)
    if "name" in entries:
        draft.name_field = entries["name"]
        draft.name = (draft.name_field.text("`name`", longest=LONGEST_NAME) or "").strip()
    if "description" in entries:
        entries["description"].text("`description`", longest=LONGEST_DESCRIPTION, empty=True)
    if "definitions" in entries:
        draft.definitions = _one_or_more(entries["definitions"], "`definitions`", _path)
    if "segments" in entries:
        draft.segments = _one_or_more(entries["segments"], "`segments`", _segment)
    if "starts" in entries:
        draft.starts = _starts(entries["starts"])
    if "until" in entries:
        draft.until = happenings.time(entries["until"], draft.starts)
    if "lateness" in entries:
        draft.lateness = entries["lateness"].duration("`lateness`") or 0
    if "horizon" in entries:
        draft.horizon = entries["horizon"].duration("`horizon`") or USUAL_HORIZON
    profile = happenings.profile(entries["profile"]) if "profile" in entries else None
    if "events" in entries:
        draft.events = happenings.read(entries["events"], profile, draft.starts)
        _check_end(entries, draft)
    if "expect" in entries:
        expected = _expectations(entries["expect"], profile, draft)
        draft.expected = [one for one in expected if one is not None]
    return draft


def _check_end(entries: dict[str, Field], draft: Draft) -> None:
    """Nothing can happen after the story's end."""
    latest = max((event.accepted_at for _, event in draft.events), default=draft.end)
    if "until" in entries and draft.until is not None and draft.until < latest:
        last = times.write(latest, draft.starts)
        entries["until"].refuse(f"the story cannot end before its last event, at {last}")


def _expectations(field: Field, profile: str | None, draft: Draft) -> Iterator[Expectation | None]:
    if isinstance(field.node, Items) and not field.node.items:
        return  # nothing is to come of it
    for item in field.items("`expect`"):
        yield _expectation(item, profile, draft)


def _expectation(field: Field, profile: str | None, draft: Draft) -> Expectation | None:
    entries = field.entries("what is expected", _EXPECTED, required=("at",))
    if not entries:
        return None
    chosen = [key for key in OutcomeType if key in entries]
    if len(chosen) != 1:
        field.refuse(f"what is expected has one of {listed(list(OutcomeType))}, with a segment")
        return None
    [kind] = chosen
    who = happenings.whose(field, entries, profile)
    at = happenings.time(entries["at"], draft.starts) if "at" in entries else None
    if at is not None and at > draft.end and draft.events:
        end = times.write(draft.end, draft.starts)
        entries["at"].refuse(f"the story ends at {end}, before this; say `until` when it ends")
    segment = _segment(entries[kind])
    if segment is not None and draft.segments is not None and segment not in draft.segments:
        entries[kind].refuse(f"{segment} is none of `segments`; add it there to look at it")
    late = entries["late"].flag("`late`") if "late" in entries else False
    cause = entries["cause"].text("`cause`", longest=255) if "cause" in entries else None
    reason = entries["reason"].text("`reason`", longest=255) if "reason" in entries else None
    groups = _groups(entries["groups"]) if "groups" in entries else None
    _check_fitting(kind, entries)
    if who is None or at is None or segment is None or late is None:
        return None
    return Expectation(
        at=at,
        profile=who,
        type=kind,
        segment=segment,
        late=late,
        cause=cause,
        reason=reason,
        groups=groups,
    )


def _check_fitting(kind: OutcomeType, entries: dict[str, Field]) -> None:
    """Only a change of membership has a cause and groups, only the others have a reason."""
    changes = kind in (OutcomeType.ENTERED, OutcomeType.LEFT)
    for key in ("reason",) if changes else ("late", "cause", "groups"):
        if key in entries:
            entries[key].refuse(f"`{key}` cannot be told of what is {kind}; leave it out")


def _groups(field: Field) -> tuple[str, ...] | None:
    found = []
    for item in field.items("`groups`"):
        before = len(item.report.problems)
        group = group_of(values.value(item))
        if group is not None:
            found.append(group)
        elif len(item.report.problems) == before:
            item.refuse("a group is a text, a number, or true or false")
    return tuple(sorted(found))


def _one_or_more(field: Field, what: str, read_one: Callable[[Field], T | None]) -> list[T]:
    fields = field.items(what) if isinstance(field.node, Items) else [field]
    found = (read_one(one) for one in fields)
    return [one for one in found if one is not None]


def _path(field: Field) -> tuple[str, Field] | None:
    text = field.text("a path of definitions", longest=4_000)
    return (text, field) if text is not None else None


def _segment(field: Field) -> str | None:
    name = field.text("the name of a segment", longest=255)
    field.refer(Kind.SEGMENT, name)
    return name


def _starts(field: Field) -> int:
    node = field.node
    found = times.read_date(node.value) if isinstance(node, Scalar) else None
    if found is None:
        field.refuse("`starts` is a date such as 2026-05-01: the first day of the story")
        return times.USUAL_START
    return found


def check_names(drafts: Collection[Draft]) -> None:
    """Notes each name that two stories of a file have."""
    seen: dict[str, int] = {}
    for draft in drafts:
        if draft.name and draft.name_field is not None:
            line = seen.setdefault(draft.name, draft.root.node.start.line)
            if line != draft.root.node.start.line:
                draft.name_field.refuse(f"the story on line {line} has the same name")
