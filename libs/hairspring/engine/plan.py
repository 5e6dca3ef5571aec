"""The plan: definitions compiled to what an evaluation looks up.

event name → streams to extend → segments to judge. The cost of an event depends on the segments
that mention it, not on how many there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hairspring.engine.conditions.base import MOVED, Condition, Reading, Unmoved, walk
from hairspring.engine.events import Event, Predicate
from hairspring.engine.segments import Segment
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import ANY_EVENT, Pattern
from hairspring.engine.trimming import Memory, memory
from hairspring.engine.verdict import Verdict

#: A profile of which nothing is known, and the answer of what asks for something to be known.
_NOBODY = ProfileState()
_NEVER = Verdict(False)


class CircularSegments(ValueError):
    """Segments refer to each other in a circle."""

    def __init__(self, circle: tuple[str, ...]) -> None:
        self.circle = circle
        super().__init__(" → ".join(circle))


class Touch(NamedTuple):
    """A segment that a stream concerns, and which of its answers one more event leaves standing."""

    number: int
    name: str
    unmoved: Unmoved


@dataclass(frozen=True, slots=True)
class Watch:
    """A stream, what of it is remembered, and the segments that it concerns."""

    pattern: Pattern
    memory: Memory
    touches: tuple[Touch, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """All streams that take the events of a name for which one expression holds."""

    predicate: Predicate | None
    watches: tuple[Watch, ...]


class Plan:
    """All segments of a workspace at one version, in an order in which references come first."""

    __slots__ = (
        "_any",
        "_by_name",
        "at_birth",
        "dependents",
        "flow_events",
        "number",
        "segments",
        "streams",
        "trait_readers",
        "version",
    )

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
        self.trait_readers = tuple(
            index
            for index, segment in enumerate(self.segments)
            if any(condition.reads_traits for condition in conditions(segment))
        )
        self.at_birth = tuple(
            index
            for index, segment in enumerate(self.segments)
            if segment.enter.verdict(_NOBODY, 0) != _NEVER
        )
        self.streams = frozenset(
            pattern.key
            for segment in self.segments
            for condition in conditions(segment)
            for pattern in condition.patterns()
        )
        self._by_name, self._any = self._filters()

    def filters(self, event: Event) -> tuple[Filter, ...]:
        """The expressions to try on an event, by its name, each with the streams behind it."""
        return self._by_name.get(event.name, self._any)

    def _touch(self, number: int, pattern: Pattern) -> Touch:
        segment = self.segments[number]
        return Touch(
            number, segment.name, segment.enter.unmoved(pattern) if segment.plain else MOVED
        )

    def _dependents(self) -> tuple[tuple[int, ...], ...]:
        found: list[list[int]] = [[] for _ in self.segments]
        for index, segment in enumerate(self.segments):
            for name in references(segment):
                found[self.number[name]].append(index)
        return tuple(tuple(sorted(set(numbers))) for numbers in found)

    def _filters(self) -> tuple[Mapping[str, tuple[Filter, ...]], tuple[Filter, ...]]:
        readings: dict[str, list[tuple[Condition, Reading]]] = defaultdict(list)
        readers: dict[str, set[int]] = defaultdict(set)
        for index, segment in enumerate(self.segments):
            for condition in conditions(segment):
                for reading in condition.reads():
                    readings[reading.pattern.key].append((condition, reading))
                    readers[reading.pattern.key].add(index)
        by_name: dict[str, list[Watch]] = defaultdict(list)
        for key, found in readings.items():
            remembered = memory(found)
            touches = tuple(
                self._touch(number, remembered.pattern) for number in sorted(readers[key])
            )
            watch = Watch(remembered.pattern, remembered, touches)
            for name in remembered.pattern.names:
                by_name[name].append(watch)
        any_event = by_name.pop(ANY_EVENT, [])
        return {
            name: _filtered([*found, *any_event]) for name, found in by_name.items()
        }, _filtered(any_event)


def _filtered(watches: Iterable[Watch]) -> tuple[Filter, ...]:
    """Puts streams with the same expression together, so that it is tried once an event."""
    by_text: dict[str | None, list[Watch]] = defaultdict(list)
    for watch in watches:
        by_text[watch.pattern.where].append(watch)
    return tuple(Filter(found[0].pattern.predicate, tuple(found)) for found in by_text.values())


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
