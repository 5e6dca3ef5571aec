"""What is kept of a profile between two inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hairspring.engine.folded import Folded
from hairspring.engine.standing import SegmentState as SegmentState
from hairspring.engine.streams import EMPTY, Pattern, Reference, Run
from hairspring.engine.values import UNGROUPED
from hairspring.engine.wakes import Wakes

PREDICTIONS = "predictions"
TAGS = "tags"


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
    _wakes: Wakes | None = field(default=None, compare=False, repr=False)
    _bound: int | None = field(default=None, compare=False, repr=False)
    _bounded: bool = field(default=False, compare=False, repr=False)

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

    def last_time(self, pattern: Pattern, group: str | None) -> int | None:
        """When the latest event of a pattern that concerns a group happened."""
        if group is None or pattern.by is None:
            run = self.streams.get(pattern.key)
            return run.times[-1] if run is not None and run.times else None
        last = self.last(pattern, group)
        return None if last is None else last[0]

    def is_member(self, segment: str) -> bool:
        """Tells whether the profile is in a segment."""
        state = self.segments.get(segment)
        return state is not None and state.member

    def put(self, segment: str, state: SegmentState) -> None:
        """Notes how the profile stands to a segment now; one that was due before is judged anew."""
        self.segments[segment] = state
        if state.until is not None:
            self._wants(segment, state.until)

    def wake(self, segment: str, until: int | None) -> None:
        """Notes when a segment that is there wants to be judged next."""
        state = self.segments[segment]
        before = state.until
        self.segments[segment] = state.looked_at(until)
        if until is not None and (before is None or until < before):
            self._wants(segment, until)

    def bound(self, alarm: int | None) -> None:
        """Takes over that the alarm is at a moment or later, so that it need not be looked for."""
        if self._wakes is None:
            self._bound, self._bounded = alarm, True

    def soonest(self) -> int | None:
        """A moment before which no answer can change with no new event; the alarm or earlier."""
        if self._wakes is None:
            if self._bounded:
                return self._bound
            self._wakes = Wakes(self.segments)
        return self._wakes.soonest()

    def look_at(self) -> int | None:
        """The alarm; where it has not been looked for, what it is bounded by."""
        return self._bound if self._bounded and self._wakes is None else self.alarm()

    def alarm(self) -> int | None:
        """The first moment at which some answer could change with no new event."""
        if self._wakes is None:
            self._wakes = Wakes(self.segments)
        return self._wakes.earliest(self.segments)

    def take_due(self, t: int) -> list[str]:
        """The segments that want to be judged at t or before; they are to be judged now.

        Until then they want nothing.
        """
        if self._wakes is None:
            self._wakes = Wakes(self.segments)
        return self._wakes.take(t, self.segments)

    def _wants(self, segment: str, until: int) -> None:
        if self._wakes is not None:
            self._wakes.add(segment, until, self.segments)
        elif self._bound is None or until < self._bound:
            self._bound = until

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
