"""What is kept of a profile between two inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hairspring.engine.folded import Folded
from hairspring.engine.streams import EMPTY, Pattern, Reference, Run
from hairspring.engine.values import UNGROUPED

PREDICTIONS = "predictions"
TAGS = "tags"


@dataclass(slots=True)
class SegmentState:
    """How one profile stands to one segment. Times in milliseconds, UTC."""

    member: bool = False
    entered_at: int | None = None  #: The latest entry.
    left_at: int | None = None  #: The latest leaving.
    enter_held: bool = False  #: Whether `enter` held at the latest instant.
    rise_at: int | None = None  #: The rise that stands, if one does.
    until: int | None = None  #: When to look again with no new event.

    def answers(self) -> tuple[bool, bool, int | None]:
        """What makes a moment count as an instant when it changes."""
        return self.member, self.enter_held, self.rise_at


@dataclass(slots=True)
class ProfileState:
    """All that the engine keeps of one profile.

    A segment that is not in `segments` stands as in a fresh `SegmentState`.
    """

    clock: int | None = None  #: The latest instant that was evaluated.
    born_at: int | None = None  #: The first instant that was evaluated live.
    streams: dict[str, Run] = field(default_factory=dict)  #: By the key of the pattern.
    keyed: dict[str, dict[str, Run]] = field(default_factory=dict)
    """By the key of a pattern with `by`, and the group."""
    folded: dict[str, dict[str, Folded]] = field(default_factory=dict)
    """What lies beyond the horizon, by the key of the pattern and the group (or `UNGROUPED`)."""
    segments: dict[str, SegmentState] = field(default_factory=dict)  #: By name.
    traits: dict[str, tuple[int, int, Any]] = field(default_factory=dict)
    """By name: (time, order, value) of the setting that counts; None stands for unset."""
    tags: dict[str, tuple[int, int, bool]] = field(default_factory=dict)
    """By tag: (time, order, whether it is attached) of the call that counts."""

    def run(self, key: str) -> Run:
        """The stream of a pattern; an empty one where nothing matched yet."""
        return self.streams.get(key, EMPTY)

    def runs(self, key: str) -> Mapping[str, Run]:
        """The runs of a pattern with `by`, by group."""
        return self.keyed.get(key, _NO_RUNS)

    def group_run(self, pattern: Pattern, group: str | None) -> Run:
        """The run of a group; of a pattern without `by`, the one that it has."""
        if group is None or pattern.by is None:
            return self.run(pattern.key)
        return self.runs(pattern.key).get(group, EMPTY)

    def last(self, pattern: Pattern, group: str | None) -> Reference | None:
        """The latest event of a pattern that concerns a group: its own, or one that names none."""
        if group is None or pattern.by is None:
            return self.run(pattern.key).last()
        runs = self.runs(pattern.key)
        own, common = runs.get(group, EMPTY).last(), runs.get(UNGROUPED, EMPTY).last()
        if own is None or common is None:
            return own or common
        return max(own, common)

    def is_member(self, segment: str) -> bool:
        """Tells whether the profile is in a segment."""
        state = self.segments.get(segment)
        return state is not None and state.member

    def alarm(self) -> int | None:
        """The first moment at which some answer could change with no new event."""
        alarm: int | None = None
        for segment in self.segments.values():
            until = segment.until
            if until is not None and (alarm is None or until < alarm):
                alarm = until
        return alarm

    def trait(self, name: str) -> Any:
        """The value of a trait; None where it is not set."""
        known = self.traits.get(name)
        return None if known is None else known[2]

    def current_traits(self) -> dict[str, Any]:
        """The traits that are set, with the tags as `tags` and computed ones in `predictions`."""
        found: dict[str, Any] = {}
        predictions: dict[str, Any] = {}
        for name, (_, _, value) in self.traits.items():
            if value is None:
                continue
            if name.startswith(f"{PREDICTIONS}."):
                predictions[name.removeprefix(f"{PREDICTIONS}.")] = value
            else:
                found[name] = value
        if predictions:
            found[PREDICTIONS] = predictions
        if self.tags:
            found[TAGS] = sorted(tag for tag, (_, _, attached) in self.tags.items() if attached)
        return found


_NO_RUNS: Mapping[str, Run] = {}
