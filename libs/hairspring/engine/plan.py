"""The plan: definitions compiled to what an evaluation looks up.

event name → streams to extend → segments to judge. The cost of an event depends on the segments
that mention it, not on how many there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hairspring.engine.conditions.base import Condition, walk
from hairspring.engine.events import Event
from hairspring.engine.segments import Segment
from hairspring.engine.streams import ANY_EVENT, Pattern


class CircularSegments(ValueError):
    """Segments refer to each other in a circle."""

    def __init__(self, circle: tuple[str, ...]) -> None:
        self.circle = circle
        super().__init__(" → ".join(circle))


@dataclass(frozen=True, slots=True)
class _Watch:
    """A pattern and the numbers of the segments to judge when its stream grows."""

    pattern: Pattern
    segments: tuple[int, ...]


class Plan:
    """All segments of a workspace at one version, in an order in which references come first."""

    __slots__ = ("_any", "_by_name", "dependents", "flow_events", "number", "segments", "version")

    def __init__(
        self, segments: Iterable[Segment], *, version: int = 0, flow_events: Iterable[str] = ()
    ) -> None:
        """Orders and indexes the segments.

        Raises:
            CircularSegments: If segments refer to each other in a circle.
            ValueError: If one refers to a segment that is not there.
        """
        self.version = version
        self.flow_events = frozenset(flow_events)
        self.segments = _ordered({segment.name: segment for segment in segments})
        self.number = {segment.name: index for index, segment in enumerate(self.segments)}
        self.dependents = self._dependents()
        by_name, self._any = self._watches()
        self._by_name = by_name

    def watches(self, event: Event) -> tuple[_Watch, ...]:
        """The patterns to try on an event, by its name."""
        return self._by_name.get(event.name, self._any)

    def _dependents(self) -> tuple[tuple[int, ...], ...]:
        found: list[list[int]] = [[] for _ in self.segments]
        for index, segment in enumerate(self.segments):
            for name in references(segment):
                found[self.number[name]].append(index)
        return tuple(tuple(sorted(set(numbers))) for numbers in found)

    def _watches(self) -> tuple[Mapping[str, tuple[_Watch, ...]], tuple[_Watch, ...]]:
        patterns: dict[str, Pattern] = {}
        readers: dict[str, set[int]] = defaultdict(set)
        for index, segment in enumerate(self.segments):
            for condition in conditions(segment):
                for pattern in condition.patterns():
                    patterns[pattern.key] = pattern
                    readers[pattern.key].add(index)
        by_name: dict[str, list[_Watch]] = defaultdict(list)
        for key, pattern in patterns.items():
            for name in pattern.names:
                by_name[name].append(_Watch(pattern, tuple(sorted(readers[key]))))
        any_event = tuple(by_name.pop(ANY_EVENT, ()))
        return {name: (*found, *any_event) for name, found in by_name.items()}, any_event


def conditions(segment: Segment) -> Iterable[Condition]:
    """Every condition of a segment."""
    for _, condition in walk(segment.enter, "enter"):
        yield condition
    if segment.exit is not None:
        for _, condition in walk(segment.exit, "exit"):
            yield condition


def references(segment: Segment) -> set[str]:
    """The segments that a segment refers to."""
    return {name for condition in conditions(segment) for name in condition.segments()}


def _ordered(segments: Mapping[str, Segment]) -> tuple[Segment, ...]:
    """Puts each segment after those it refers to; by name where that leaves a choice."""
    done: dict[str, Segment] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in done:
            return
        if name in path:
            raise CircularSegments((*path[path.index(name) :], name))
        if name not in segments:
            raise ValueError(f"there is no segment {name!r}, which {path[-1]!r} refers to")
        for other in sorted(references(segments[name])):
            visit(other, (*path, name))
        done[name] = segments[name]

    for name in sorted(segments):
        visit(name, ())
    return tuple(done.values())
