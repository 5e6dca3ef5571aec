"""What is kept of a profile between two inputs."""

from dataclasses import dataclass, field
from typing import Any

from hairspring.engine.streams import EMPTY, Run


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
    segments: dict[str, SegmentState] = field(default_factory=dict)  #: By name.
    traits: dict[str, tuple[int, int, Any]] = field(default_factory=dict)
    """By name: (time, order, value) of the setting that counts; None stands for unset."""

    def run(self, key: str) -> Run:
        """The stream of a pattern; an empty one where nothing matched yet."""
        return self.streams.get(key, EMPTY)

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

    def current_traits(self) -> dict[str, Any]:
        """The traits that are set."""
        return {name: value for name, (_, _, value) in self.traits.items() if value is not None}
